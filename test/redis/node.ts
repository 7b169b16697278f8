import type {
  Backplane,
  CommandResult,
  Delivery,
  Entry,
  Figures,
  Key,
  Published,
} from "../../src/backplane/backplane.ts";
import { createRedisBackplane } from "../../src/backplane/redis/redis.ts";
import { createLog } from "../../src/observe/log.ts";
import { createMetrics, type Metrics } from "../../src/observe/metrics.ts";
import { type Runtime, systemRuntime } from "../../src/runtime.ts";
import { within } from "../support/deadline.ts";
import { configOf } from "../support/load-config.ts";

/** What a node's hub has been told, one line each. */
export type Told =
  | { readonly what: "entry"; readonly entry: Entry }
  | { readonly what: "reset"; readonly why: string }
  | { readonly what: "status"; readonly text: string }
  | { readonly what: "registered"; readonly token: string; readonly text: string }
  | { readonly what: "superseded"; readonly token: string; readonly why: string }
  | { readonly what: "command"; readonly token: string; readonly delivery: Delivery };

/** A backplane and a hub that writes down what it is told. */
export interface Node extends AsyncDisposable {
  readonly backplane: Backplane & Figures;
  readonly metrics: Metrics;
  readonly told: readonly Told[];
  readonly logLines: readonly string[];
  /** The texts of the messages that came, status messages excepted. */
  texts(): string[];
  cursors(): string[];
  /** Waits until `check` gives something. */
  until<T>(check: () => T | undefined | false, what: string): Promise<T>;
  publish(text: string | readonly string[], worker?: string, key?: Key): Promise<Published>;
  register(token: string): Promise<void>;
  order(text: string, ifOffline?: "queue" | "reject", key?: Key): Promise<CommandResult>;
  /** Whether `commands` says that more can be taken. */
  canTake: boolean;
  /** Ends it without a word, as by kill -9: nothing is renewed any more. */
  crash(): void;
}

const system = systemRuntime();

export type Env = Readonly<Record<string, string>>;

/** A registration may be over before it is answered: another one has followed it. */
const ENDS = new Set<Told["what"]>(["registered", "superseded"]);

const DEFAULTS = {
  APP_ENV: "development",
  HISTORY_MESSAGES: "1000",
  WORKER_SECRET: "a-secret-of-the-tests-0123456789",
};

export async function startNode(url: string, env: Env = {}, given: Partial<Runtime> = {}): Promise<Node> {
  const loaded = configOf({ env: { ...DEFAULTS, REDIS_URL: url, ...env } });
  const config = { ...loaded, REDIS_URL: url };
  let hasCrashed = false;
  const runtime: Runtime = {
    ...system,
    every: (ms, run) => system.every(ms, () => (hasCrashed ? undefined : run())),
    ...given,
  };
  const logLines: string[] = [];
  const log = createLog({
    level: "debug",
    format: "text",
    nowMs: Date.now,
    write: (line) => void logLines.push(line),
  });
  const metrics = createMetrics();
  const backplane = await createRedisBackplane({ config, runtime, log, metrics });
  const told: Told[] = [];
  const watchers = new Set<() => void>();
  const tell = (...news: Told[]): void => {
    if (hasCrashed) return;
    told.push(...news);
    for (const watch of [...watchers]) watch();
  };
  const node: Node = {
    backplane,
    metrics,
    told,
    logLines,
    canTake: true,
    texts: () =>
      told.flatMap((one) =>
        one.what === "entry" && one.entry.type !== "WORKER_STATUS" ? [one.entry.text] : [],
      ),
    cursors: () => told.flatMap((one) => (one.what === "entry" ? [one.entry.cursor] : [])),
    until(check, what) {
      const { promise, resolve } = Promise.withResolvers<NonNullable<ReturnType<typeof check>>>();
      const look = (): void => {
        const found = check();
        if (found === undefined || found === false) return;
        watchers.delete(look);
        clearInterval(timer);
        resolve(found as NonNullable<ReturnType<typeof check>>);
      };
      const timer = setInterval(look, 20);
      watchers.add(look);
      look();
      return within(promise, what).finally(() => clearInterval(timer)) as Promise<never>;
    },
    publish(text, worker, key) {
      const { promise, resolve } = Promise.withResolvers<Published>();
      const messages = [text].flat().map((one) => ({
        text: one,
        type: (JSON.parse(one) as { type?: string }).type,
        conflationKey: undefined,
      }));
      backplane.append({
        messages,
        source: worker === undefined ? "http" : "worker",
        worker,
        key,
        done: resolve,
      });
      return within(promise, "the answer of a publish");
    },
    async register(token) {
      const from = told.length;
      const connId = `c-${token}`;
      backplane.register({ token, connId, connectedAtMs: Date.now(), lastSeenAtMs: Date.now });
      await node.until(
        () => told.slice(from).some((one) => ENDS.has(one.what) && "token" in one && one.token === token),
        `registration of ${token}`,
      );
    },
    order(text, ifOffline = "queue", key) {
      const { promise, resolve } = Promise.withResolvers<CommandResult>();
      backplane.sendCommand({ text, ifOffline, key, done: resolve });
      return within(promise, "the answer of a command");
    },
    crash() {
      hasCrashed = true;
      void backplane.close();
    },
    async [Symbol.asyncDispose]() {
      await backplane.close();
    },
  };
  backplane.start({
    entries: (entries) => tell(...entries.map((entry) => ({ what: "entry", entry }) as const)),
    reset: (why) => tell({ what: "reset", why }),
    status: ({ status, metadata }) => tell({ what: "status", text: `${status} ${metadata}` }),
    registered: (token, { status, metadata }) =>
      tell({ what: "registered", token, text: `${status} ${metadata}` }),
    superseded: (token, why) => tell({ what: "superseded", token, why }),
    commands(token, deliveries) {
      tell(...deliveries.map((delivery) => ({ what: "command", token, delivery }) as const));
      return node.canTake;
    },
    hold: () => undefined,
    receivers: () => ({ websocket: 2, sse: 1 }),
  });
  return node;
}

/** The cursors of a publish that must have been taken. */
export function idsOf(result: Published): readonly string[] {
  if (!result.ok) throw new Error(`refused: ${result.code}: ${result.detail}`);
  return result.ids;
}

export function statuses(node: Node): string[] {
  return node.told.flatMap((one) => (one.what === "status" ? [one.text] : []));
}

export function deliveries(node: Node): string[] {
  return node.told.flatMap((one) =>
    one.what === "command" ? [`${one.token} ${one.delivery.attempt} ${one.delivery.text}`] : [],
  );
}

export function resets(node: Node): string[] {
  return node.told.flatMap((one) => (one.what === "reset" ? [one.why] : []));
}

/** Is it connected, and does Redis take what it asks? */
export function isWell(node: Node): boolean {
  return node.backplane.checks()["redis"]?.ok === true;
}
