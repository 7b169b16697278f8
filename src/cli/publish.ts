import { z } from "zod";
import { keySchema } from "../protocol/envelope.ts";
import { isReserved, parseMessage } from "../protocol/message.ts";
import { type Batch, type Batcher, createBatcher } from "./batches.ts";
import { defineCommand } from "./command.ts";
import { inputLines } from "./input-lines.ts";
import { createPublishing, type Publishing } from "./publishing.ts";
import { findSecret, SECRET_ENVIRONMENT } from "./secret.ts";
import { findTarget, TARGET_ENVIRONMENT, urlFlag } from "./target.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** Input that pauses for so long is published although the batch is not full. */
const LINGER_MS = 20;
/** Room for the number of the batch, and for what is put behind it where a batch has to be divided. */
const PREFIX_LIMIT_CHARS = 200;

const prefixSchema = z
  .string()
  .max(PREFIX_LIMIT_CHARS, `is longer than ${PREFIX_LIMIT_CHARS} characters`)
  .refine(
    (key) => keySchema.safeParse(key).success,
    "is not made of printable ASCII characters without spaces",
  );

export const keyFlag = (help: string) => ({ help, value: "KEY", schema: prefixSchema }) as const;

export const publishCommand = defineCommand({
  name: "publish",
  summary: "publish messages",
  synopsis: "[MESSAGE ...] [--key PREFIX] [--url URL]",
  details: `Publishes the messages given as arguments, or those on standard input, one JSON object a line, and prints the hub's
receipt for each batch: {"ids":[…],"receivers":{…}}, in the order of the input. A batch has at most 1,000 messages or
1 MiB; a batch is published whole or not at all. While the hub is away or not ready, a batch is tried again for 30
seconds, and never published twice. With --key a whole run may be repeated within 10 minutes: what was published before
is not published again. A line that is no message ends the run; the batches before it have been published.`,
  flags: {
    url: urlFlag,
    key: keyFlag(
      "prefix of the batches' idempotency keys: repeat a failed run with the same input and the same prefix",
    ),
  },
  positionals: { name: "MESSAGE", max: Number.POSITIVE_INFINITY },
  environment: [...TARGET_ENVIRONMENT, ...SECRET_ENVIRONMENT],
  exitCodes: [
    [0, "everything has been published"],
    [1, "not everything: the hub is not there or refuses, or a line is no message"],
    [2, "a mistake in the command line or the environment; nothing has been published"],
    [130, "ended by Ctrl-C; 143 by SIGTERM"],
  ],
  async execute({ url, key }, messages, terminal) {
    const fromInput = messages.length === 0 || (messages.length === 1 && messages[0] === "-");
    for (const [index, message] of fromInput ? [] : messages.entries()) {
      const why = whyNoMessage(message);
      if (why === undefined) continue;
      terminal.say(`argument ${index + 1} ${why}: give one JSON object for each message, in single quotes`);
      return EXIT.usage;
    }
    if (messages.length === 0 && terminal.stdin.isTerminal) {
      terminal.say("no message is given: give them as arguments, or one a line on standard input");
      return EXIT.usage;
    }
    const secret = findSecret(terminal);
    if (typeof secret === "number") return secret;
    const target = findTarget(url, terminal);
    if (typeof target === "number") return target;
    const publishing = createPublishing({
      target,
      secret,
      keyPrefix: key ?? terminal.runtime.randomHex(16),
      runtime: terminal.runtime,
      say: terminal.say,
      receipt: (json) => terminal.stdout.write(`${json}\n`),
    });
    return fromInput
      ? await publishInput(publishing, key === undefined ? LINGER_MS : undefined, terminal)
      : await publishArguments(publishing, messages);
  },
});

async function publishArguments(publishing: Publishing, messages: readonly string[]): Promise<number> {
  const batcher = createBatcher();
  for (const [index, message] of messages.entries()) {
    // A batch has a message on each line; line ends in JSON can only be white space.
    const full = batcher.add({ text: message.replace(/[\r\n]/g, " "), number: index + 1 });
    if (full !== undefined && !(await publishing.publish(full))) return EXIT.failed;
  }
  return (await publishRest(publishing, batcher)) ? EXIT.done : EXIT.failed;
}

/** @param lingerMs how long a batch waits for more lines; undefined: until it is full, so that a repeat has the same ones */
async function publishInput(
  publishing: Publishing,
  lingerMs: number | undefined,
  { stdin, runtime, say }: Terminal,
): Promise<number> {
  const batcher = createBatcher();
  const blocks = inputLines(stdin.chunks());
  let next = blocks.next();
  let hasUnsent = false;
  while (true) {
    const block = await (hasUnsent && lingerMs !== undefined
      ? Promise.race([next, new Promise<void>((resolve) => void runtime.after(lingerMs, resolve))])
      : next);
    if (block === undefined) {
      if (!(await publishRest(publishing, batcher))) return EXIT.failed;
      hasUnsent = false;
      continue;
    }
    if (block.done === true) return (await publishRest(publishing, batcher)) ? EXIT.done : EXIT.failed;
    const trouble = await publishLines(publishing, batcher, block.value);
    if (trouble === undefined) {
      hasUnsent = true;
      next = blocks.next();
      continue;
    }
    // What has been gathered is left, so that a repeat with the line mended has the same batches.
    if (trouble !== "") say(`${trouble}: ${publishing.soFar()}`);
    return EXIT.failed;
  }
}

type Block = Awaited<ReturnType<ReturnType<typeof inputLines>["next"]>>["value"];

/** @returns what ends the input; empty where that has been said */
async function publishLines(
  publishing: Publishing,
  batcher: Batcher,
  block: Exclude<Block, undefined>,
): Promise<string | undefined> {
  if (!block.ok) return `line ${block.number} ${block.why}`;
  for (const [index, rawLine] of block.lines.entries()) {
    const line = rawLine.endsWith("\r") ? rawLine.slice(0, -1) : rawLine;
    if (/^[ \t\r]*$/.test(line)) continue;
    const number = block.firstNumber + index;
    const why = whyNoMessage(line);
    if (why !== undefined) return `line ${number} ${why}`;
    const full: Batch | undefined = batcher.add({ text: line, number });
    if (full !== undefined && !(await publishing.publish(full))) return "";
  }
  return undefined;
}

async function publishRest(publishing: Publishing, batcher: Batcher): Promise<boolean> {
  const rest = batcher.take();
  return rest === undefined || (await publishing.publish(rest));
}

/** @returns undefined for what the hub would take */
function whyNoMessage(text: string): string | undefined {
  const parsed = parseMessage(text);
  if (parsed.code === "invalid_json") return "is not valid JSON";
  if (parsed.code === "not_object") return `is no JSON object but ${parsed.found}`;
  return isReserved(parsed.type) ? `has the type ${parsed.type}, which is reserved` : undefined;
}
