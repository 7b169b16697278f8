import type { Life } from "./restarts.ts";
import { type Figure, pointsOf, type Sample } from "./samples.ts";
import { COMMAND_QUEUE, KEPT, MAX_CONNECTIONS } from "./settings.ts";
import { type Allowance, type Judgement, judge, type Point } from "./verdict.ts";

/** One line of the verdict. */
export interface Finding extends Judgement {
  readonly what: string;
  readonly unit: string;
}

/** How long idempotency keys are kept (PROTOCOL.md, section 4): before, their table can only grow. */
const KEYS_KEPT_S = 600;

/** For garbage collected memory, what is left when it has just been collected: the lower end of each quarter. */
const MEMORY: Allowance = { share: 0.1, least: 10, rank: 0.25 };
/** The write-ahead log of SQLite is up to 4 MB large before it is emptied. */
const FILE: Allowance = { share: 0.3, least: 5 };
const SOME_CLIENTS: Allowance = { share: 0.1, least: 15 };

const RULES: readonly {
  readonly figure: Figure;
  readonly what: string;
  readonly unit: string;
  readonly allowance: Allowance;
}[] = [
  { figure: "memoryMb", what: "memory (anonymous, resident)", unit: "MB", allowance: MEMORY },
  { figure: "sockets", what: "open sockets", unit: "", allowance: SOME_CLIENTS },
  { figure: "files", what: "open files", unit: "", allowance: SOME_CLIENTS },
  { figure: "websocketClients", what: "table of WebSocket clients", unit: "", allowance: SOME_CLIENTS },
  { figure: "sseClients", what: "table of SSE clients", unit: "", allowance: SOME_CLIENTS },
  { figure: "workers", what: "table of workers", unit: "", allowance: { share: 0, least: 3 } },
  {
    figure: "commandsWaiting",
    what: "table of waiting commands",
    unit: "",
    allowance: { share: 0.5, least: 20 },
  },
  {
    figure: "idempotencyKeys",
    what: "table of idempotency keys",
    unit: "",
    allowance: { share: 0.3, least: 50 },
  },
  { figure: "threads", what: "threads", unit: "", allowance: { share: 0, least: 4 } },
];

/** What of the measured hub grows between the base and the end. */
export function judgeGrowth(samples: readonly Sample[], baseS: number): Finding[] {
  return RULES.filter(({ figure }) => figure !== "idempotencyKeys" || baseS >= KEYS_KEPT_S).map(
    ({ figure, what, unit, allowance }) => ({
      what,
      unit,
      ...judge(pointsOf(samples, figure), baseS, allowance),
    }),
  );
}

/** The same of the restarted hub, whose lives are compared at their ends, where all of them are equally old. */
export function judgeLives(lives: readonly Life[], baseS: number): Finding[] {
  const points = (figure: Exclude<keyof Life, "endS">): Point[] =>
    lives.map((life) => [life.endS, life[figure]]);
  return [
    {
      what: "restarted hub: memory at the end of a life",
      unit: "MB",
      ...judge(points("memoryMb"), baseS, MEMORY),
    },
    {
      what: "restarted hub: sockets at the end of a life",
      unit: "",
      ...judge(points("sockets"), baseS, SOME_CLIENTS),
    },
    {
      what: "restarted hub: history file",
      unit: "MB",
      ...judge(points("fileMb"), baseS, FILE),
    },
  ];
}

/** What was above its limit at any time. @param keyed how many calls with a key of their own were made */
export function findExcess(samples: readonly Sample[], keyed: number): string[] {
  const limits: Partial<Record<Figure, number>> = {
    historyMessages: KEPT.messages,
    historyMb: KEPT.bytes / 1_000_000,
    commandsWaiting: COMMAND_QUEUE,
    websocketClients: MAX_CONNECTIONS,
    idempotencyKeys: keyed,
  };
  return Object.entries(limits).flatMap(([figure, limit]) => {
    const most = samples.reduce((max, sample) => Math.max(max, sample[figure as Figure]), 0);
    return most <= limit ? [] : [`${figure} was ${most}, over its limit of ${limit}`];
  });
}
