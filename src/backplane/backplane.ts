import type { Source } from "../observe/metrics.ts";
import type { WorkerStatus } from "../protocol/status.ts";

/** What is answered at once where everything is in this thread, and later where it is not. */
export type Maybe<Value> = Value | Promise<Value>;

/** One message of the stream, as it is held and sent. */
export interface Entry {
  /** Consecutive numbers over all epochs; the position "after this entry". */
  readonly offset: number;
  readonly cursor: string;
  /** The message byte for byte, and its length in UTF-8. */
  readonly text: string;
  readonly byteCount: number;
  /** Its top-level `type`, if that is a string. */
  readonly type: string | undefined;
  /** Wall clock at which it entered the stream. */
  readonly atMs: number;
}

/** A message that is to enter the stream. */
export interface NewMessage {
  readonly text: string;
  readonly type: string | undefined;
  /** What conflation compares, where a rule covers the message (PROTOCOL.md, section 5). */
  readonly conflationKey: string | number | undefined;
}

/** An idempotency key, and the digest that tells a repeat from another request under the same key. */
export interface Key {
  readonly key: string;
  readonly digest: string;
}

/** What a key stands for: what was asked, and the answer that a repeat gets. */
export interface KeyRecord extends Key {
  readonly answer: string;
  readonly atMs: number;
}

/** How many connections of this node a message goes to. */
export interface Receivers {
  readonly websocket: number;
  readonly sse: number;
}

/** Messages that are to enter the stream: all of them, or none. */
export interface Publish {
  readonly messages: readonly NewMessage[];
  readonly source: Source;
  /** The token of the worker on whose behalf it is; once that one is superseded, nothing of it enters. */
  readonly worker: string | undefined;
  readonly key: Key | undefined;
  /** Called once, when it is in the history or will not be; undefined where nobody waits for that. */
  readonly done: ((result: Published) => void) | undefined;
}

export interface Receipt {
  readonly ok: true;
  /** One cursor for each message, in order; a superseded message has that of the one that superseded it. */
  readonly ids: readonly string[];
  /** Of this node, at the time of the publish; of a batch, those of the message that reaches most. */
  readonly receivers: Receivers;
}

/** Why something was not taken. Nothing of it was kept, unless the detail says that this is unknown. */
export interface Refused {
  readonly ok: false;
  readonly code: "storage" | "keys_full" | "busy" | "backplane" | "superseded";
  readonly detail: string;
}

export interface KeyMismatch {
  readonly ok: false;
  readonly code: "key_mismatch";
  readonly detail: string;
}

export const KEY_MISMATCH: KeyMismatch = {
  ok: false,
  code: "key_mismatch",
  detail: "this idempotency key was used for another body within the last 10 minutes",
};

/** For what comes of a worker that is not registered any more. */
export const SUPERSEDED: Refused = {
  ok: false,
  code: "superseded",
  detail: "this worker is not registered any more: another one has taken its place, or its lease has ended",
};

export type Published = Receipt | Refused | KeyMismatch;

/** Where a cursor stands, or why nothing can be resumed from it (PROTOCOL.md, section 3). */
export type Located =
  | { readonly ok: true; readonly offset: number }
  | { readonly ok: false; readonly reason: "evicted" | "unknown" };

/** A piece of history, in order. `evicted` means that what follows the position is no longer held whole. */
export type Page =
  | { readonly evicted: true }
  | { readonly evicted: false; readonly entries: readonly Entry[] };

/** A worker's connection, as it is registered. */
export interface NewWorker {
  /** Random, and never used again: whatever comes on the worker's behalf is compared with it. */
  readonly token: string;
  readonly connId: string;
  /** Wall clock. */
  readonly connectedAtMs: number;
  /** When something last came from it; wall clock. */
  readonly lastSeenAtMs: () => number;
}

/** `GET /api/v1/worker` (PROTOCOL.md, section 4). */
export interface WorkerState {
  readonly status: WorkerStatus;
  /** The newest worker, while one is connected. */
  readonly worker:
    | { readonly connId: string; readonly connectedAtMs: number; readonly lastSeenAtMs: number }
    | undefined;
  /** Commands that wait for a worker or its acknowledgement. */
  readonly queued: number;
}

export type CommandState = "queued" | "sent" | "acknowledged" | "expired";

/** A message for the worker. */
export interface CommandRecord {
  readonly id: string;
  readonly text: string;
  readonly createdMs: number;
  readonly state: CommandState;
  /** How often it has been sent. */
  readonly attempts: number;
}

/** A command as it goes to a worker. */
export interface Delivery {
  readonly id: string;
  /** From 1. */
  readonly attempt: number;
  readonly text: string;
}

export type CommandResult =
  | { readonly ok: true; readonly id: string; readonly status: "sent" | "queued" }
  | Refused
  | KeyMismatch
  | { readonly ok: false; readonly code: "queue_full" | "offline"; readonly detail: string };

export interface NewCommand {
  /** One JSON object, forwarded byte for byte. */
  readonly text: string;
  readonly ifOffline: "queue" | "reject";
  readonly key: Key | undefined;
  readonly done: (result: CommandResult) => void;
}

export interface Fill {
  readonly messages: number;
  readonly bytes: number;
  readonly keys: number;
}

/** One thing that must be well for the hub to take traffic. A warning shows but does not fail. */
export interface Check {
  readonly ok: boolean;
  readonly detail?: string;
  readonly isWarning?: boolean;
}

/** What a backplane tells the hub that stands on it. All of them are synchronous. */
export interface BackplaneEvents {
  /** These have entered the stream: in order, and without a gap to the last ones. */
  entries(entries: readonly Entry[]): void;
  /** What follows does not continue what has been delivered: whoever is connected to the stream must come back. */
  reset(why: string): void;
  /** The worker's status as of this place in the stream. */
  status(status: WorkerStatus): void;
  /** A worker of this hub has been registered, and this is the status since. */
  registered(token: string, status: WorkerStatus): void;
  /** A worker of this hub is not registered any more: another has replaced it, or its lease has ended. */
  superseded(token: string, why: "replaced" | "lost"): void;
  /**
   * Commands for a worker of this hub, in order.
   * @returns whether it can take more now; if not, the hub calls `canTake` when it can
   */
  commands(token: string, deliveries: readonly Delivery[]): boolean;
  /** Nothing more is to be read from a worker of this hub for now, because what it has sent waits; or it may go on. */
  hold(token: string, isHeld: boolean): void;
  /** How many connections of this node a message of this type goes to at the moment. */
  receivers(type: string | undefined): Receivers;
}

/** Before a hub is there, and when it has gone. */
export const SILENT: BackplaneEvents = {
  entries: () => undefined,
  reset: () => undefined,
  status: () => undefined,
  registered: () => undefined,
  superseded: () => undefined,
  commands: () => false,
  hold: () => undefined,
  receivers: () => ({ websocket: 0, sse: 0 }),
};

/**
 * What orders and holds messages, knows the workers and keeps their commands: for one hub (local.ts), for a hub among
 * several (redis/), and for one thread of a hub (port.ts). Where everything is in this thread, all of it happens in the
 * very step in which it is asked for: history, keys and commands are written, messages are fanned out, results are given.
 */
export interface Backplane {
  /** From now on, the hub is told what happens. To be called once, in the turn in which the backplane was made. */
  start(events: BackplaneEvents): void;

  /** The offset of the newest entry that the hub has been told of. */
  head(): number;
  /** The cursor that names the position after the entry at `offset`. */
  cursorAt(offset: number): string;
  locate(since: string): Maybe<Located>;
  /** At most `limitBytes` of entries after `offset` and up to `upTo`; at least one if there is one. */
  read(offset: number, upTo: number, limitMessages: number, limitBytes: number): Maybe<Page>;
  append(publish: Publish): void;
  /** Calls `done` when the hub has been told of everything that anybody had been promised before. */
  barrier(done: () => void): void;

  status(): WorkerStatus;
  register(worker: NewWorker): void;
  /** The worker names itself. `metadata` is the text of a JSON object. */
  describe(token: string, metadata: string): void;
  /** The worker's connection has ended. Harmless when it is no longer registered. */
  leave(token: string): void;
  worker(): Maybe<WorkerState>;

  /** From now on this worker is sent commands, first those that no worker before it has acknowledged. */
  ready(token: string): void;
  /** The worker can take commands again. */
  canTake(token: string): void;
  sendCommand(command: NewCommand): void;
  command(id: string): Maybe<CommandRecord | undefined>;
  /** @param worker counts only while the worker with this token is registered; without it, from whomever it comes */
  acknowledge(ids: readonly string[], worker?: string): void;

  /** Publishes what conflation holds back, for good. */
  flush(): void;
  /** The hub ends: from now on nobody who would not notice otherwise is told that its workers go. */
  farewell(): void;
  close(): Promise<void>;
}

/** What operators are shown of a backplane. */
export interface Figures {
  fill(): Fill;
  /** Commands that wait for a worker or its acknowledgement. */
  waiting(): number;
  /** How many messages conflation has superseded. */
  conflated(): number;
  /** What must be well for the hub to take traffic, by name. */
  checks(): Readonly<Record<string, Check>>;
}
