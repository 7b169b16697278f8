import { z } from "zod";
import { isReserved, parseMessage } from "../protocol/message.ts";
import { type Called, jsonOf, problemCode, refusalOf, unreachable } from "./call.ts";
import { defineCommand } from "./command.ts";
import { createPersistent, type Persistent } from "./persist.ts";
import { keyFlag } from "./publish.ts";
import { findSecret, refusedSecret, SECRET_ENVIRONMENT, type Secret, secretHeader } from "./secret.ts";
import { findTarget, TARGET_ENVIRONMENT, type Target, urlFlag } from "./target.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** The hub takes less than this; whoever pipes in more has made a mistake. */
const COMMAND_LIMIT_BYTES = 1_048_576;
const ANSWER_LIMIT_MS = 10_000;
/** How often is asked what has become of a command. */
const ASK_FIRST_MS = 50;
const ASK_LIMIT_MS = 1_000;

const acceptedSchema = z.object({ id: z.string(), status: z.string() });
/** Answers of 503 that no waiting turns into another. */
const isFinal = (answer: Extract<Called, { ok: true }>): boolean =>
  ["queue_full", "key_mismatch"].includes(problemCode(answer) ?? "");

export const workerSendCommand = defineCommand({
  name: "worker send",
  summary: "send the worker a command",
  synopsis: "[COMMAND] [--if-offline queue|reject] [--wait] [--key KEY] [--url URL]",
  details: `Sends one JSON object, given as an argument or on standard input, to the worker, and prints the hub's answer:
{"id":"…","status":"sent"}, or "queued" where it is kept for the next worker. With --wait it prints a second line when the
command is acknowledged or expires: {"id":"…","status":"acknowledged","attempts":1}. While the hub is away or not ready the
call is tried again for 30 seconds, and the command is never accepted twice.`,
  flags: {
    url: urlFlag,
    "if-offline": {
      help: "queue (the default): keep it for the next worker; reject: fail where none is online",
      value: "queue|reject",
      schema: z.enum(["queue", "reject"], "is neither queue nor reject"),
    },
    wait: { help: "wait until a worker has acknowledged it, or it has expired (COMMAND_TTL_MS of the hub)" },
    key: keyFlag("idempotency key: the same command with the same key is accepted once within 10 minutes"),
  },
  positionals: { name: "COMMAND", max: 1 },
  environment: [...TARGET_ENVIRONMENT, ...SECRET_ENVIRONMENT],
  exitCodes: [
    [0, "accepted; with --wait: acknowledged"],
    [1, "the hub is not there or refuses, no worker is online (reject), or the command has expired (--wait)"],
    [2, "a mistake in the command line or the environment"],
    [130, "ended by Ctrl-C; 143 by SIGTERM"],
  ],
  async execute(given, [argument], terminal) {
    const { say, stdout, runtime } = terminal;
    const fromInput = argument === undefined || argument === "-";
    if (argument === undefined && terminal.stdin.isTerminal) {
      say("no command is given: give a JSON object as an argument, or on standard input");
      return EXIT.usage;
    }
    const text = fromInput ? await readInput(terminal) : argument;
    const why = text === undefined ? "is no UTF-8 text below 1 MiB" : whyNoCommand(text);
    if (text === undefined || why !== undefined) {
      say(`${fromInput ? "standard input" : "the command"} ${why}: give one JSON object`);
      return fromInput ? EXIT.failed : EXIT.usage;
    }
    const secret = findSecret(terminal);
    if (typeof secret === "number") return secret;
    const target = findTarget(given.url, terminal);
    if (typeof target === "number") return target;

    const hub = createPersistent(target, runtime, (trouble) =>
      say(`${target.shown}: ${trouble}; trying again`),
    );
    const answer = await hub.call(
      {
        method: "POST",
        path: `/api/v1/worker/messages?if_offline=${given["if-offline"] ?? "queue"}`,
        headers: {
          ...secretHeader(secret),
          "content-type": "application/json",
          "idempotency-key": given.key ?? runtime.randomHex(16),
        },
        body: text,
        limitMs: ANSWER_LIMIT_MS,
      },
      isFinal,
    );
    const accepted = acceptedSchema.safeParse(
      answer.ok && answer.status === 202 ? jsonOf(answer.body) : undefined,
    );
    if (!answer.ok || !accepted.success) return fail(answer, target, secret, say);
    stdout.write(`${answer.body}\n`);
    return given.wait ? await waitFor(accepted.data.id, hub, target, secret, terminal) : EXIT.done;
  },
});

async function waitFor(
  id: string,
  hub: Persistent,
  target: Target,
  secret: Secret,
  { stdout, say, runtime }: Terminal,
): Promise<number> {
  for (let delayMs = ASK_FIRST_MS; ; delayMs = Math.min(ASK_LIMIT_MS, 2 * delayMs)) {
    const answer = await hub.call({
      method: "GET",
      path: `/api/v1/worker/messages/${encodeURIComponent(id)}`,
      headers: secretHeader(secret),
      limitMs: ANSWER_LIMIT_MS,
    });
    if (answer.ok && answer.status === 404) {
      say(`${target.shown} does not know the command ${id} any more: it was restarted without HISTORY_FILE`);
      return EXIT.failed;
    }
    const state = acceptedSchema.safeParse(
      answer.ok && answer.status === 200 ? jsonOf(answer.body) : undefined,
    );
    if (!answer.ok || !state.success) return fail(answer, target, secret, say);
    const { status } = state.data;
    if (status === "acknowledged" || status === "expired") {
      stdout.write(`${answer.body}\n`);
      return status === "acknowledged" ? EXIT.done : EXIT.failed;
    }
    await new Promise<void>((resolve) => void runtime.after(delayMs, resolve));
  }
}

function fail(answer: Called, target: Target, secret: Secret, say: Terminal["say"]): number {
  if (!answer.ok) say(unreachable(target, answer));
  else if (answer.status === 401) say(`${target.shown} ${refusedSecret(secret)}`);
  else say(`${target.shown} ${refusalOf(answer)}`);
  return EXIT.failed;
}

/** @returns undefined for what is too long or no UTF-8 */
async function readInput({ stdin }: Terminal): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of stdin.chunks()) {
    byteCount += chunk.length;
    if (byteCount > COMMAND_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}

/** @returns undefined for what the hub would take */
function whyNoCommand(text: string): string | undefined {
  const parsed = parseMessage(text);
  if (parsed.code === "invalid_json") return "is not valid JSON";
  if (parsed.code === "not_object") return `is no JSON object but ${parsed.found}`;
  return isReserved(parsed.type) ? `has the type ${parsed.type}, which is reserved` : undefined;
}
