import { z } from "zod";
import { STREAM_SUBPROTOCOL } from "../protocol/envelope.ts";
import { readFilter } from "../protocol/filter.ts";
import { USER_AGENT } from "./call.ts";
import { defineCommand, type Given } from "./command.ts";
import { conclude, type Reconnecting, stayConnected } from "./reconnect.ts";
import { humanLine, jsonLine, readFrame } from "./tail-line.ts";
import { findTarget, TARGET_ENVIRONMENT, type Target, urlFlag } from "./target.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";
import { findWebSocketPath, WS_PATH_ENVIRONMENT } from "./websocket-path.ts";

/** Reading stops while standard output has more waiting than the first, and goes on below the second. */
const PENDING_LIMIT_BYTES = 1_048_576;
const PENDING_RESUME_BYTES = 262_144;
/** The hub says something with every heartbeat; so many without a word, and it is gone. */
const SILENT_HEARTBEATS_MAX = 3;
const SILENCE_MIN_MS = 5_000;
/** Until the hub has said how often that is. */
const HEARTBEAT_FIRST_MS = 10_000;

const flags = {
  url: urlFlag,
  types: {
    help: "only messages of these types, separated by commas; WORKER_STATUS always",
    value: "A,B",
    schema: z
      .string()
      .refine((list) => readFilter(list).ok, "is no list of types like DOC_UPDATE,DOC_PROGRESS"),
  },
  since: {
    help: "begin after this cursor, or with `earliest` at the first message that is held; without it: now",
    value: "CURSOR",
    schema: z.string().regex(/^[0-9A-Za-z._:-]{1,64}$/, "is no cursor"),
  },
  json: { help: 'print each message as {"type":"message","id":"<cursor>","data":{…}}, byte for byte' },
} as const;

export const tailCommand = defineCommand({
  name: "tail",
  summary: "print the stream",
  synopsis: "[--types A,B] [--since CURSOR] [--json] [--url URL]",
  details: `Prints one line for each message: its cursor, its type, and the message. A lost connection is made anew and
resumed, so that no message is missing or printed twice; where the hub no longer holds what was missed, standard
error says so. Only the first connection has to succeed. It runs until it is stopped.`,
  flags,
  environment: [
    ...TARGET_ENVIRONMENT,
    WS_PATH_ENVIRONMENT,
    ["CLIENT_TOKEN", "sent as Authorization: Bearer, for a hub with CLIENT_AUTH_URL"],
  ],
  exitCodes: [
    [0, "stopped by Ctrl-C or SIGTERM, or nobody reads the output any more"],
    [1, "the hub is not there, or does not let this client in; the output could not be written"],
    [2, "a mistake in the command line or the environment"],
  ],
  execute(given, _, terminal) {
    const token = readToken(terminal);
    const path = findWebSocketPath(terminal);
    if (typeof token === "number") return token;
    if (typeof path === "number") return path;
    const target = findTarget(given.url, terminal);
    return typeof target === "number" ? target : tail(given, target, path, token, terminal);
  },
});

/** @returns the header; the exit code where no header can carry it */
function readToken({ env, say }: Terminal): Readonly<Record<string, string>> | number {
  const token = env["CLIENT_TOKEN"];
  if (token === undefined || token === "") return {};
  if (/^[\x21-\x7e]+$/.test(token)) return { authorization: `Bearer ${token}` };
  say("CLIENT_TOKEN is not made of printable ASCII characters: set it as the hub's authentication gave it");
  return EXIT.usage;
}

async function tail(
  given: Given<typeof flags>,
  target: Target,
  path: string,
  authorization: Readonly<Record<string, string>>,
  { stdout, say, runtime, stopAsked }: Terminal,
): Promise<number> {
  const format = given.json ? jsonLine : humanLine;
  let cursor = given.since;
  let heartbeatMs = HEARTBEAT_FIRST_MS;
  let isWaiting = false;

  const waitForReader = async (): Promise<void> => {
    if (isWaiting) return;
    isWaiting = true;
    connection.pause();
    await stdout.drained(PENDING_RESUME_BYTES);
    isWaiting = false;
    connection.resume();
  };

  const take = (frame: string): void => {
    const heard = readFrame(frame);
    switch (heard.type) {
      case "hello":
        heartbeatMs = heard.heartbeatMs;
        tellStart(heard, cursor);
        cursor = heard.cursor;
        break;
      case "message": {
        cursor = heard.cursor;
        const line = format(heard);
        stdout.write(stdout.isTerminal ? `${printable(line.slice(0, -1))}\n` : line);
        if (stdout.pendingBytes() > PENDING_LIMIT_BYTES) void waitForReader();
        break;
      }
      case "moved":
        cursor = heard.cursor;
        break;
      case "goodbye":
        connection.comeBackAfter(heard.reconnectAfterMs);
        break;
      case "other":
        break;
    }
  };

  const tellStart = (
    hello: Extract<ReturnType<typeof readFrame>, { type: "hello" }>,
    since: string | undefined,
  ): void => {
    say(`connected to ${target.shown}, worker ${printable(hello.workerStatus)}`);
    if (hello.notResumed === undefined || since === undefined) return;
    const why =
      hello.notResumed === "evicted"
        ? "the hub no longer holds what came after it"
        : "the hub does not know this position";
    say(
      `messages may be missing after ${since}: ${why} (${printable(hello.notResumed)}); on from ${hello.cursor}`,
    );
  };

  const query = (): string => {
    const wanted = { types: given.types, since: cursor };
    const entries = Object.entries(wanted).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    return entries.length === 0 ? "" : `?${new URLSearchParams(entries)}`;
  };
  const connection: Reconnecting = stayConnected({
    runtime,
    path,
    open() {
      const { url, options } = target.webSocket(`${path}${query()}`);
      return new WebSocket(url, {
        ...options,
        protocols: [STREAM_SUBPROTOCOL],
        headers: { ...authorization, "user-agent": USER_AGENT },
        perMessageDeflate: false,
      });
    },
    silenceLimitMs: () => Math.max(SILENCE_MIN_MS, SILENT_HEARTBEATS_MAX * heartbeatMs),
    opened: () => undefined,
    text: take,
    lost: (why) => say(`connection lost (${printable(why)}): trying again`),
  });

  void stopAsked().then(connection.stop);
  void stdout.ended.then(connection.stop);
  return conclude(await connection.ended, target.shown, say);
}
