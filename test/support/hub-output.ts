import { within } from "./deadline.ts";
import type { Hub, LogLine } from "./hub.ts";

/** What one or several hubs have written, line by line, and a way to wait for more. */
export interface HubOutput {
  /** Everything so far, in the order in which it came. */
  readonly lines: readonly string[];
  /** What of that went to standard output. */
  readonly stdout: readonly string[];
  take(line: string): void;
  takeStdout(line: string): void;
  /** The first result of `find` over the output, tried again at each new line; fails when no more is to come. */
  watch<T>(what: string, find: () => T | undefined): Promise<T>;
  /** To be called when no more is to come. */
  end(): void;
}

export function createHubOutput(): HubOutput {
  const lines: string[] = [];
  const stdout: string[] = [];
  const watchers = new Set<() => void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const take = (line: string): void => {
    lines.push(line);
    for (const watcher of watchers) watcher();
  };
  return {
    lines,
    stdout,
    take,
    takeStdout(line) {
      stdout.push(line);
      take(line);
    },
    async watch<T>(what: string, find: () => T | undefined): Promise<T> {
      const { promise, resolve: found, reject } = Promise.withResolvers<T>();
      const look = (): void => {
        try {
          const result = find();
          if (result !== undefined) found(result);
        } catch (error) {
          reject(error);
        }
      };
      watchers.add(look);
      look();
      void ended.then(() => reject(new Error(`the hub has ended before ${what}:\n${lines.join("\n")}`)));
      try {
        return await within(promise, what);
      } finally {
        watchers.delete(look);
      }
    },
    end,
  };
}

type Readings = Pick<Hub, "output" | "stdout" | "logs" | "waitForLogs" | "waitForLog" | "waitForLine">;

export function readingsOf({ lines, stdout, watch }: HubOutput): Readings {
  const logs = (): LogLine[] => lines.map((line) => JSON.parse(line));
  return {
    output: () => lines.join("\n"),
    stdout: () => stdout.join("\n"),
    logs,
    waitForLogs: (what, count, fits) =>
      watch(`${count} log lines: ${what}`, () => {
        const found = logs().filter(fits);
        return found.length >= count ? found.slice(0, count) : undefined;
      }),
    waitForLog: (what, fits) => watch(`log line: ${what}`, () => logs().find(fits)),
    waitForLine: (what, fits) => watch(`line: ${what}`, () => lines.find(fits)),
  };
}

/** What makes the WebSocket URLs of the hub at this URL. */
export function wsUrlOf(url: string): Hub["wsUrl"] {
  return (query = "", path = "/ws") =>
    `${url.replace("http:", "ws:")}${path}${query === "" ? "" : `?${query}`}`;
}
