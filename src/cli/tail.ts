import { z } from "zod";
import { connect, HubError, type Reset } from "../client/index.ts";
import { readFilter } from "../protocol/filter.ts";
import { defineCommand, type Given } from "./command.ts";
import { CLI_BACKOFF, createWatch, hubAddress, hubSocket } from "./hub-socket.ts";
import { humanLine, jsonLine } from "./tail-line.ts";
import { findTarget, TARGET_ENVIRONMENT, type Target, urlFlag } from "./target.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";
import { findWebSocketPath, WS_PATH_ENVIRONMENT } from "./websocket-path.ts";

/** Reading stops while standard output has more waiting than the first, and goes on below the second. */
const PENDING_LIMIT_BYTES = 1_048_576;
const PENDING_RESUME_BYTES = 262_144;

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
  { stdout, say, stopAsked }: Terminal,
): Promise<number> {
  const format = given.json ? jsonLine : humanLine;
  const tellReset = ({ reason, since, id }: Reset): void => {
    if (reason === "start") return;
    const why =
      reason === "evicted"
        ? "the hub no longer holds what came after it"
        : "the hub does not know this position";
    say(`messages may be missing after ${since}: ${why} (${reason}); on from ${id}`);
  };
  const watch = createWatch({
    target,
    path,
    say,
    opened: () => say(`connected to ${target.shown}, worker ${connection.workerStatus?.status ?? "unknown"}`),
    close: () => connection.close(),
  });
  const connection = connect(hubAddress(path), {
    types: given.types?.split(","),
    since: given.since,
    statusMessages: true,
    transport: "websocket",
    WebSocket: hubSocket(target, authorization),
    backoff: CLI_BACKOFF,
    onReset: tellReset,
    onState: (_, info) => watch.take(info),
  });
  void stopAsked().then(connection.close);
  void stdout.ended.then(connection.close);

  try {
    for await (const message of connection) {
      const line = format(message);
      stdout.write(stdout.isTerminal ? `${printable(line.slice(0, -1))}\n` : line);
      // While nobody takes the output nothing is read from the hub either.
      if (stdout.pendingBytes() > PENDING_LIMIT_BYTES)
        await Promise.race([stdout.drained(PENDING_RESUME_BYTES), connection.closed]);
    }
  } catch (error) {
    // `conclude` says why the hub has ended it.
    if (!(error instanceof HubError)) throw error;
  }
  return watch.conclude(connection.info());
}
