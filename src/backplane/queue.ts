import type { Config } from "../config/schema.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import {
  type CommandRecord,
  type CommandResult,
  type CommandState,
  type Delivery,
  KEY_MISMATCH,
  type NewCommand,
} from "./backplane.ts";
import type { History } from "./history.ts";

/** Messages for the worker (PROTOCOL.md, section 4): kept until one acknowledges them, in order, at least once. */
export interface Queue {
  send(command: Omit<NewCommand, "done">): CommandResult;
  find(id: string): CommandRecord | undefined;
  /** From now on this worker is sent commands, first those that no worker before it has acknowledged. */
  ready(token: string): void;
  canTake(token: string): void;
  gone(token: string): void;
  acknowledge(ids: readonly string[]): void;
  /** Commands that wait for a worker or its acknowledgement. */
  waiting(): number;
  stop(): void;
}

/** With more bytes than this waiting, the queue counts as full. */
export const QUEUE_LIMIT_BYTES = 67_108_864;
/** How long the fate of a command can be asked for after it is known, and of how many. */
export const FORGET_AFTER_MS = 600_000;
export const FINISHED_LIMIT = 10_000;
const HOUSEKEEPING_LIMIT_MS = 1_000;

export const OFFLINE_REFUSED = {
  ok: false,
  code: "offline",
  detail: "no worker is online, and if_offline=reject was asked for",
} as const;

/** @param waiting how many commands wait already; @param limit COMMAND_QUEUE */
export function queueFull(waiting: number, limit: number): CommandResult {
  const bound = waiting >= limit ? `COMMAND_QUEUE allows ${limit}` : `${QUEUE_LIMIT_BYTES} bytes are allowed`;
  return { ok: false, code: "queue_full", detail: `${waiting} commands wait for the worker, and ${bound}` };
}

interface Command {
  record: CommandRecord;
  /** The token of the worker that it was last sent to. */
  sentTo: string | undefined;
}

interface Taker {
  readonly token: string;
  canTake: boolean;
}

export interface QueueOptions {
  readonly config: Pick<Config, "COMMAND_QUEUE" | "COMMAND_TTL_MS">;
  readonly history: Pick<
    History,
    "findKey" | "recoveredCommands" | "acceptCommand" | "saveCommand" | "forgetCommand"
  >;
  readonly runtime: Runtime;
  readonly isOnline: () => boolean;
  /** @returns whether the worker can take more now */
  readonly deliver: (token: string, deliveries: readonly Delivery[]) => boolean;
  readonly metrics: Pick<Metrics, "commands">;
}

export function createQueue({ config, history, runtime, isOnline, deliver, metrics }: QueueOptions): Queue {
  /** Unfinished commands, in the order in which they were accepted. */
  const pending = new Map<string, Command>();
  let pendingBytes = 0;
  /** Finished ones, in the order in which they finished. */
  const finished = new Map<string, { readonly record: CommandRecord; readonly finishedMs: number }>();
  /** Workers that take commands, the newest last. */
  let takers: readonly Taker[] = [];
  /** Commands that no live worker has, in order. */
  let unsent: Command[] = [];

  const change = (command: Command, state: CommandState, attempts: number): void => {
    command.record = { ...command.record, state, attempts };
    history.saveCommand(command.record);
  };

  const finish = (command: Command, state: "acknowledged" | "expired"): void => {
    const { id, text, attempts } = command.record;
    pending.delete(id);
    pendingBytes -= text.length;
    change(command, state, attempts);
    metrics.commands.add(state);
    finished.set(id, { record: { ...command.record, text: "" }, finishedMs: runtime.nowMs() });
    const oldest = finished.keys().next().value;
    if (finished.size > FINISHED_LIMIT && oldest !== undefined) forget(oldest);
  };

  const forget = (id: string): void => {
    finished.delete(id);
    history.forgetCommand(id);
  };

  const pump = (): void => {
    const taker = takers.at(-1);
    if (taker === undefined) return;
    let sent = 0;
    for (; sent < unsent.length && taker.canTake; sent++) {
      const command = unsent[sent] as Command;
      if (pending.has(command.record.id)) give(command, taker);
    }
    unsent = unsent.slice(sent);
  };

  const give = (command: Command, taker: Taker): void => {
    const { id, text } = command.record;
    const attempt = command.record.attempts + 1;
    change(command, "sent", attempt);
    metrics.commands.add(attempt === 1 ? "sent" : "redelivered");
    command.sentTo = taker.token;
    taker.canTake = deliver(taker.token, [{ id, attempt, text }]);
  };

  /** Which commands have to be sent anew is asked whenever the workers change. */
  const reconsider = (): void => {
    const tokens = new Set(takers.map(({ token }) => token));
    unsent = [...pending.values()].filter(({ sentTo }) => sentTo === undefined || !tokens.has(sentTo));
    pump();
  };

  const housekeeping = (): void => {
    const nowMs = runtime.nowMs();
    for (const command of pending.values()) {
      if (nowMs - command.record.createdMs < config.COMMAND_TTL_MS) break;
      finish(command, "expired");
    }
    for (const [id, { finishedMs }] of finished) {
      if (nowMs - finishedMs < FORGET_AFTER_MS) break;
      forget(id);
    }
  };

  const refuse = (result: CommandResult): CommandResult => {
    metrics.commands.add("refused");
    return result;
  };

  for (const record of history.recoveredCommands()) {
    if (record.state === "acknowledged" || record.state === "expired") {
      finished.set(record.id, { record: { ...record, text: "" }, finishedMs: runtime.nowMs() });
    } else {
      pending.set(record.id, { record, sentTo: undefined });
      pendingBytes += record.text.length;
    }
  }
  reconsider();
  const stopHousekeeping = runtime.every(
    Math.min(HOUSEKEEPING_LIMIT_MS, Math.ceil(config.COMMAND_TTL_MS / 4)),
    housekeeping,
  );

  return {
    send({ text, ifOffline, key }) {
      const earlier = key === undefined ? undefined : history.findKey(key.key);
      if (earlier !== undefined) {
        return earlier.digest === key?.digest ? (JSON.parse(earlier.answer) as CommandResult) : KEY_MISMATCH;
      }
      if (ifOffline === "reject" && !isOnline()) return refuse(OFFLINE_REFUSED);
      housekeeping();
      if (pending.size >= config.COMMAND_QUEUE || pendingBytes + text.length > QUEUE_LIMIT_BYTES) {
        return refuse(queueFull(pending.size, config.COMMAND_QUEUE));
      }
      const nowMs = runtime.nowMs();
      const record: CommandRecord = {
        id: runtime.randomHex(8),
        text,
        createdMs: nowMs,
        state: "queued",
        attempts: 0,
      };
      const goesNow = unsent.length === 0 && takers.at(-1)?.canTake === true;
      const result = { ok: true, id: record.id, status: goesNow ? "sent" : "queued" } as const;
      const accepted = history.acceptCommand(
        record,
        key === undefined ? undefined : { ...key, answer: JSON.stringify(result), atMs: nowMs },
      );
      metrics.commands.add(accepted.ok ? "accepted" : "refused");
      if (!accepted.ok) return accepted;
      const command: Command = { record, sentTo: undefined };
      pending.set(record.id, command);
      pendingBytes += text.length;
      unsent.push(command);
      if (goesNow) pump();
      return result;
    },
    find: (id) => pending.get(id)?.record ?? finished.get(id)?.record,
    ready(token) {
      takers = [...takers.filter((taker) => taker.token !== token), { token, canTake: true }];
      reconsider();
    },
    canTake(token) {
      const taker = takers.find((one) => one.token === token);
      if (taker === undefined) return;
      taker.canTake = true;
      pump();
    },
    gone(token) {
      const left = takers.filter((taker) => taker.token !== token);
      if (left.length === takers.length) return;
      takers = left;
      reconsider();
    },
    acknowledge(ids) {
      for (const id of ids) {
        const command = pending.get(id);
        if (command !== undefined) finish(command, "acknowledged");
      }
    },
    waiting: () => pending.size,
    stop: stopHousekeeping,
  };
}
