import { z } from "zod";
import { call, jsonOf, refusalOf, unreachable } from "./call.ts";
import { defineCommand } from "./command.ts";
import { givenSecret, secretHeader } from "./secret.ts";
import { findTarget, TARGET_ENVIRONMENT, urlFlag } from "./target.ts";
import { EXIT, printable } from "./terminal.ts";

const ANSWER_LIMIT_MS = 10_000;

const workerSchema = z.object({
  status: z.enum(["online", "offline"]),
  metadata: z.unknown(),
  conn_id: z.string().nullable(),
  connected_at: z.string().nullable(),
  last_seen: z.string().nullable(),
  queued: z.number(),
});

export const workerStatusCommand = defineCommand({
  name: "worker status",
  summary: "say whether a worker is online, and which",
  synopsis: "[--json] [--url URL]",
  details: `Prints who works at the moment, since when, when it was last heard, and how many commands wait for a worker or its
acknowledgement. An offline worker is an answer like any other: the exit code is 0.`,
  flags: {
    url: urlFlag,
    json: { help: "print the hub's answer as it came: one JSON object" },
  },
  environment: [
    ...TARGET_ENVIRONMENT,
    ["WORKER_SECRET, WORKER_SECRET_FILE", "the hub's secret: needed where CLIENT_AUTH_URL guards the hub"],
  ],
  exitCodes: [
    [0, "the hub has answered"],
    [1, "the hub is not there, or refuses"],
    [2, "a mistake in the command line or the environment"],
  ],
  async execute({ url, json }, _, terminal) {
    const secret = givenSecret(terminal);
    if (typeof secret === "number") return secret;
    const target = findTarget(url, terminal);
    if (typeof target === "number") return target;
    const answer = await call(
      target,
      {
        method: "GET",
        path: "/api/v1/worker",
        headers: secret === undefined ? {} : secretHeader(secret),
        limitMs: ANSWER_LIMIT_MS,
      },
      terminal.runtime,
    );
    if (!answer.ok) {
      terminal.say(unreachable(target, answer));
      return EXIT.failed;
    }
    const worker = workerSchema.safeParse(answer.status === 200 ? jsonOf(answer.body) : undefined);
    if (!worker.success) {
      terminal.say(`${target.shown} ${refusalOf(answer)}`);
      return EXIT.failed;
    }
    terminal.stdout.write(json ? `${answer.body}\n` : describe(worker.data));
    return EXIT.done;
  },
});

function describe({ status, metadata, queued, ...worker }: z.output<typeof workerSchema>): string {
  const rows: string[][] = [["worker", status]];
  if (worker.connected_at !== null) rows.push(["since", worker.connected_at]);
  if (worker.last_seen !== null) rows.push(["last seen", worker.last_seen]);
  if (worker.conn_id !== null) rows.push(["connection", worker.conn_id]);
  if (metadata !== null) rows.push(["metadata", JSON.stringify(metadata)]);
  rows.push(["commands waiting", String(queued)]);
  return rows.map(([what = "", value = ""]) => `${what.padEnd(18)}${printable(value)}\n`).join("");
}
