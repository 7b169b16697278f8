import { z } from "zod";
import { type Command, connectWorker } from "../client/index.ts";
import { VERSION } from "../version.ts";
import { defineCommand } from "./command.ts";
import { createPlay, type Play, seededRandom } from "./demo-play.ts";
import { CLI_BACKOFF, createWatch, hubAddress, hubSocket } from "./hub-socket.ts";
import { findSecret, refusedSecret, SECRET_ENVIRONMENT, type Secret, secretHeader } from "./secret.ts";
import { findTarget, TARGET_ENVIRONMENT, type Target, urlFlag } from "./target.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";
import { findWebSocketPath, WS_PATH_ENVIRONMENT } from "./websocket-path.ts";

const TICK_MS = 10;
/** A hub that reads no faster is sent no more than this ahead. */
const UNSENT_LIMIT_BYTES = 262_144;
/** At the end, what is on its way may still arrive. */
const FLUSH_MS = 500;
const DEFAULT_RATE = 5;
const RATE_LIMIT = 10_000;

export const demoCommand = defineCommand({
  name: "demo",
  summary: "play a Vectra worker, for work on a frontend without a backend",
  synopsis: "[--rate MESSAGES] [--seed NUMBER] [--url URL]",
  details: `Connects as a worker with the secret, registers, sends a ping every 10 seconds, and plays connectors and documents that
make progress without end: CONNECTOR_STATUS, CONNECTOR_PROGRESS, DOC_UPDATE, DOC_PROGRESS. A TRIGGER_CONNECTOR_SYNC or
TRIGGER_DOC_SYNC sent to the worker begins what it asks for. Standard output tells of connections and commands. A lost
connection is made anew; only the first has to succeed. It runs until it is stopped. Not beside a real worker: with
WORKER_POLICY=replace one would replace the other.`,
  flags: {
    url: urlFlag,
    rate: {
      help: `messages per second (default: ${DEFAULT_RATE})`,
      value: "MESSAGES",
      schema: z
        .string()
        .regex(/^\d{1,6}(\.\d{1,3})?$/, `is no number above 0, up to ${RATE_LIMIT}`)
        .transform(Number)
        .refine((rate) => rate > 0 && rate <= RATE_LIMIT, `is no number above 0, up to ${RATE_LIMIT}`),
    },
    seed: {
      help: "play the same messages again (default: another play each time)",
      value: "NUMBER",
      schema: z
        .string()
        .regex(/^\d{1,9}$/, "is no whole number of up to 9 digits")
        .transform(Number),
    },
  },
  environment: [...TARGET_ENVIRONMENT, WS_PATH_ENVIRONMENT, ...SECRET_ENVIRONMENT],
  exitCodes: [
    [0, "stopped by Ctrl-C or SIGTERM, or nobody reads the output any more"],
    [1, "the hub is not there, refuses the secret, or has a newer worker"],
    [2, "a mistake in the command line or the environment"],
  ],
  execute({ url, rate = DEFAULT_RATE, seed }, _, terminal) {
    const secret = findSecret(terminal);
    if (typeof secret === "number") return secret;
    const path = findWebSocketPath(terminal);
    if (typeof path === "number") return path;
    const target = findTarget(url, terminal);
    if (typeof target === "number") return target;
    const chosen = seed ?? Math.floor(terminal.runtime.random() * 1e9);
    return demo({ target, path, secret, rate, seed: chosen }, terminal);
  },
});

interface Demo {
  readonly target: Target;
  readonly path: string;
  readonly secret: Secret;
  readonly rate: number;
  readonly seed: number;
}

async function demo({ target, path, secret, rate, seed }: Demo, terminal: Terminal): Promise<number> {
  const { stdout, say, runtime, stopAsked } = terminal;
  const tell = (line: string): void => stdout.write(`${printable(line)}\n`);
  const play = createPlay(seededRandom(seed));
  /** What of a message is due; more than a second's worth is not made up for. */
  let due = 0;
  let lastMs = runtime.monotonicMs();

  const watch = createWatch({
    target,
    path,
    say,
    opened() {
      due = 0;
      tell(`connected to ${target.shown} as demo-${seed}, ${rate} messages per second`);
    },
    close: () => void worker.close(),
  });
  const worker = connectWorker(hubAddress(path), {
    secret: "",
    secretIn: "header",
    metadata: { hostname: `demo-${seed}`, version: VERSION, os: "demo" },
    WebSocket: hubSocket(target, secretHeader(secret)),
    backoff: CLI_BACKOFF,
    onCommand: (command) => obey(command, play, tell),
    onState: (_, info) => watch.take(info),
  });

  const cancelPlay = runtime.every(Math.max(TICK_MS, 1000 / rate), () => {
    const nowMs = runtime.monotonicMs();
    due = Math.min(Math.max(1, rate), due + ((nowMs - lastMs) * rate) / 1000);
    lastMs = nowMs;
    for (; due >= 1 && worker.state === "open" && worker.outbox.bytes < UNSENT_LIMIT_BYTES; due -= 1)
      // Without a key, of which the hub keeps only so many. What a lost connection takes with it is made up for by the next.
      void worker.publish(play.next(), { key: false }).catch(() => undefined);
  });
  const stop = (): void => void worker.close({ flushMs: FLUSH_MS });
  void stopAsked().then(stop);
  void stdout.ended.then(stop);

  await worker.closed;
  cancelPlay();
  const info = worker.info();
  if (info.lastEnd?.isFinal === true && info.lastEnd.reason.startsWith("worker secret")) {
    say(`${target.shown} ${refusedSecret(secret)}`);
    return EXIT.failed;
  }
  return watch.conclude(info);
}

/** Does what a command asks for, and tells of it. */
function obey({ data }: Command, play: Play, tell: (line: string) => void): void {
  const type = typeof data["type"] === "string" ? data["type"] : "a command without a type";
  const start = sceneOf(type, play);
  const id = data["id"];
  if (start === undefined) tell(`ignored ${type}`);
  else if (typeof id !== "string" && typeof id !== "number") tell(`ignored ${type}: it has no id`);
  else if (start(String(id))) tell(`obeyed ${type} ${id}`);
  else tell(`ignored ${type} ${id}: too many are under way`);
}

function sceneOf(type: string, play: Play): ((id: string) => boolean) | undefined {
  switch (type) {
    case "TRIGGER_CONNECTOR_SYNC":
      return play.syncConnector;
    case "TRIGGER_DOC_SYNC":
      return play.syncDocument;
    default:
      return undefined;
  }
}
