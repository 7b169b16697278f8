import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEADLINE_MS } from "../support/deadline.ts";
import type { Block } from "./document.ts";

/** Where an example finds the package that it would have installed. */
const CLIENT = join(import.meta.dir, "../../src/client/index.ts");
const PACKAGE_PATHS = JSON.stringify({ compilerOptions: { paths: { "vectra-hub/client": [CLIENT] } } });

/** An example of the README at work. */
export interface Example extends AsyncDisposable {
  /** Waits until its output begins with this, apart from what differs from run to run. */
  prints(expected: string): Promise<void>;
  /** Waits until it has ended, and checks that it went well and printed just this. */
  endsWith(expected: string): Promise<void>;
}

export interface ExampleOptions {
  /** The hub's `http://127.0.0.1:41234`, in place of the README's `localhost:8000`. */
  readonly url: string;
  /** What comes before and after the block's own text. */
  readonly before?: string;
  readonly after?: string;
  /** A Python that has the `websockets` package. */
  readonly python?: string;
}

/** Starts a block as a reader would who copied it into a file. */
export async function startExample(
  { language, text }: Block,
  { url, before = "", after = "", python = "python3" }: ExampleOptions,
): Promise<Example> {
  const directory = await mkdtemp(join(tmpdir(), "vectra-readme-"));
  const file = join(directory, `example.${language}`);
  await Bun.write(file, `${before}${text}${after}`.replaceAll("localhost:8000", new URL(url).host));
  if (language === "ts") await Bun.write(join(directory, "tsconfig.json"), PACKAGE_PATHS);
  const commands: Readonly<Record<string, string[]>> = {
    sh: ["sh", "-eu"],
    python: [python],
    ts: [process.execPath, "--preload", join(import.meta.dir, "event-source.ts")],
  };
  const child = Bun.spawn([...(commands[language] ?? []), file], {
    env: { PATH: process.env["PATH"] ?? "", HOME: directory },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    // A shell's children have to go with it.
    detached: true,
  });
  const output = collect(child.stdout);

  const waitFor = async (isThere: () => boolean): Promise<void> => {
    const untilMs = performance.now() + DEADLINE_MS;
    while (!isThere() && !output.isWhole() && performance.now() < untilMs) {
      await Promise.race([output.more(), Bun.sleep(untilMs - performance.now())]);
    }
  };
  return {
    async prints(expected) {
      const wanted = settled(expected).trimEnd();
      await waitFor(() => settled(output.text()).startsWith(wanted));
      expect(settled(output.text()).slice(0, wanted.length)).toBe(wanted);
    },
    async endsWith(expected) {
      await waitFor(() => false);
      expect(settled(output.text()).trimEnd()).toBe(settled(expected).trimEnd());
      expect(await child.exited).toBe(0);
    },
    async [Symbol.asyncDispose]() {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself, and left nothing behind.
      }
      await child.exited;
      await rm(directory, { recursive: true });
    },
  };
}

function collect(stream: ReadableStream<Uint8Array>) {
  let text = "";
  let isWhole = false;
  let next = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      next.resolve();
      next = Promise.withResolvers();
    }
    isWhole = true;
    next.resolve();
  };
  void read();
  return { text: () => text, isWhole: () => isWhole, more: () => next.promise };
}

/** What differs from run to run, each in place of the value: the same value has the same number everywhere. */
function settled(output: string): string {
  const numbers = new Map<string, number>();
  const numbered = (value: string): number => {
    const number = numbers.get(value) ?? numbers.size + 1;
    numbers.set(value, number);
    return number;
  };
  return output
    .replace(/\b[0-9a-f]{8}-\d+\b/g, (cursor) => `<cursor ${numbered(cursor)}>`)
    .replace(/(?<=["']id["']: ?["'])[0-9a-f]{16}(?=["'])/g, (id) => `<command ${numbered(id)}>`)
    .replace(/"conn_id":"[0-9a-f]{8}"/g, '"conn_id":"<hex>"')
    .replace(/^retry: \d+$/gm, "retry: <ms>");
}
