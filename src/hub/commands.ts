import type { Backplane, CommandRecord, CommandState, Refused } from "../backplane/backplane.ts";
import type { Config } from "../config/schema.ts";
import type { Metrics } from "../observe/metrics.ts";
import { commandJson } from "../protocol/envelope.ts";
import type { Runtime } from "../runtime.ts";
import type { Socket } from "./connection.ts";
import { digestOf, KEY_MISMATCH } from "./publisher.ts";

export type CommandResult =
  | { readonly ok: true; readonly id: string; readonly status: "sent" | "queued" }
  | Refused
  | { readonly ok: false; readonly code: "queue_full" | "offline" | "key_mismatch"; readonly detail: string };

/** Messages for the worker (PROTOCOL.md, section 4): kept until one acknowledges them, in order, at least once. */
export interface Commands {
  /** @param text one JSON object, forwarded byte for byte */
  send(text: string, ifOffline: "queue" | "reject", key?: string): CommandResult;
  find(id: string): CommandRecord | undefined;
  /** From now on this worker is sent commands, first those that no worker before it has acknowledged. */
  workerReady(socket: Socket): void;
  workerGone(socket: Socket): void;
  /** The worker's buffer is empty again. */
  drained(socket: Socket): void;
  /** A stream-framed worker says that it has a command. */
  acknowledge(id: string): void;
  /** A raw-framed worker answers a ping that carried a command's id. */
  pong(socket: Socket, payload: string): void;
  /** Commands that wait for a worker or its acknowledgement. */
  waiting(): number;
  stop(): void;
}

/** Python's websockets, which Vectra's worker uses, takes frames of up to 1 MiB: the envelope needs its share of that. */
export const COMMAND_LIMIT_BYTES = 1_048_576 - 256;
/** With more bytes than this waiting, the queue counts as full. */
const QUEUE_LIMIT_BYTES = 67_108_864;
/** How long the fate of a command can be asked for after it is known, and of how many. */
const FORGET_AFTER_MS = 600_000;
const FINISHED_LIMIT = 10_000;
const HOUSEKEEPING_LIMIT_MS = 1_000;

interface Command {
  record: CommandRecord;
  /** The socket it was last sent on, and as the how-manieth of all sendings. */
  sentTo: Socket | undefined;
  sendNumber: number;
}

export interface CommandsOptions {
  readonly config: Pick<Config, "COMMAND_QUEUE" | "COMMAND_TTL_MS" | "SLOW_CONSUMER_BYTES">;
  readonly backplane: Backplane;
  readonly runtime: Runtime;
  readonly isOnline: () => boolean;
  readonly metrics: Pick<Metrics, "commands">;
}

export function createCommands({ config, backplane, runtime, isOnline, metrics }: CommandsOptions): Commands {
  /** Unfinished commands, in the order in which they were accepted. */
  const pending = new Map<string, Command>();
  let pendingBytes = 0;
  /** Finished ones, in the order in which they finished. */
  const finished = new Map<string, { readonly record: CommandRecord; readonly finishedMs: number }>();
  /** Workers that take commands, the newest last. */
  let workers: Socket[] = [];
  /** Commands that no live worker has, in order. */
  let unsent: Command[] = [];
  let sendings = 0;

  const target = (): Socket | undefined => workers.findLast((socket) => !socket.data.retired);

  const change = (command: Command, state: CommandState, attempts: number): void => {
    command.record = { ...command.record, state, attempts };
    backplane.saveCommand(command.record);
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
    backplane.forgetCommand(id);
  };

  /** A worker that reads slowly is sent no more than this ahead, or one command if that is larger; `drained` goes on. */
  const canTake = (socket: Socket, text: string): boolean => {
    const bufferedBytes = socket.getBufferedAmount();
    return bufferedBytes === 0 || bufferedBytes + Buffer.byteLength(text) < config.SLOW_CONSUMER_BYTES / 2;
  };

  const pump = (): void => {
    const socket = target();
    if (socket === undefined) return;
    let sent = 0;
    for (; sent < unsent.length; sent++) {
      const command = unsent[sent] as Command;
      if (!pending.has(command.record.id)) continue;
      if (!canTake(socket, command.record.text)) break;
      deliver(command, socket);
    }
    unsent = unsent.slice(sent);
  };

  const deliver = (command: Command, socket: Socket): void => {
    const { id, text } = command.record;
    const attempts = command.record.attempts + 1;
    change(command, "sent", attempts);
    metrics.commands.add(attempts === 1 ? "sent" : "redelivered");
    command.sentTo = socket;
    command.sendNumber = ++sendings;
    if (socket.data.framing === "stream") {
      socket.send(commandJson(id, attempts, text));
    } else {
      socket.send(text);
      socket.data.lastCommandId = id;
      socket.ping(id);
    }
  };

  /** Which commands have to be sent anew is asked whenever the workers change. */
  const reconsider = (): void => {
    workers = workers.filter((socket) => !socket.data.retired);
    unsent = [...pending.values()].filter(({ sentTo }) => sentTo === undefined || sentTo.data.retired);
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

  for (const record of backplane.recoveredCommands()) {
    if (record.state === "acknowledged" || record.state === "expired") {
      finished.set(record.id, { record: { ...record, text: "" }, finishedMs: runtime.nowMs() });
    } else {
      pending.set(record.id, { record, sentTo: undefined, sendNumber: 0 });
      pendingBytes += record.text.length;
    }
  }
  reconsider();
  const stopHousekeeping = runtime.every(
    Math.min(HOUSEKEEPING_LIMIT_MS, Math.ceil(config.COMMAND_TTL_MS / 4)),
    housekeeping,
  );

  return {
    send(text, ifOffline, key) {
      const digest = key === undefined ? "" : digestOf("command", [text]);
      const earlier = key === undefined ? undefined : backplane.findKey(key);
      if (earlier !== undefined) {
        return earlier.digest === digest ? (JSON.parse(earlier.answer) as CommandResult) : KEY_MISMATCH;
      }
      if (ifOffline === "reject" && !isOnline()) {
        metrics.commands.add("refused");
        return {
          ok: false,
          code: "offline",
          detail: "no worker is online, and if_offline=reject was asked for",
        };
      }
      housekeeping();
      const isFull = pending.size >= config.COMMAND_QUEUE;
      if (isFull || pendingBytes + text.length > QUEUE_LIMIT_BYTES) {
        metrics.commands.add("refused");
        const bound = isFull
          ? `COMMAND_QUEUE allows ${config.COMMAND_QUEUE}`
          : `${QUEUE_LIMIT_BYTES} bytes are allowed`;
        return {
          ok: false,
          code: "queue_full",
          detail: `${pending.size} commands wait for the worker, and ${bound}`,
        };
      }
      const nowMs = runtime.nowMs();
      const record: CommandRecord = {
        id: runtime.randomHex(8),
        text,
        createdMs: nowMs,
        state: "queued",
        attempts: 0,
      };
      const socket = target();
      const goesNow = socket !== undefined && unsent.length === 0 && canTake(socket, text);
      const result = { ok: true, id: record.id, status: goesNow ? "sent" : "queued" } as const;
      const accepted = backplane.acceptCommand(
        record,
        key === undefined ? undefined : { key, digest, answer: JSON.stringify(result), atMs: nowMs },
      );
      metrics.commands.add(accepted.ok ? "accepted" : "refused");
      if (!accepted.ok) return accepted;
      const command: Command = { record, sentTo: undefined, sendNumber: 0 };
      pending.set(record.id, command);
      pendingBytes += text.length;
      unsent.push(command);
      if (goesNow) pump();
      return result;
    },
    find: (id) => pending.get(id)?.record ?? finished.get(id)?.record,
    workerReady(socket) {
      workers = [...workers.filter((other) => other !== socket), socket];
      reconsider();
    },
    workerGone(socket) {
      if (workers.includes(socket)) reconsider();
    },
    drained(socket) {
      if (socket === target()) pump();
    },
    acknowledge(id) {
      const command = pending.get(id);
      if (command !== undefined) finish(command, "acknowledged");
    },
    pong(socket, payload) {
      const answered = pending.get(payload);
      if (answered === undefined || answered.sentTo !== socket) return;
      // A peer may answer only the newest of several pings (RFC 6455, section 5.5.3), and frames arrive in order: so this
      // acknowledges everything that was sent on this socket before it, too.
      for (const command of [...pending.values()]) {
        if (command.sentTo === socket && command.sendNumber <= answered.sendNumber)
          finish(command, "acknowledged");
      }
    },
    waiting: () => pending.size,
    stop: stopHousekeeping,
  };
}
