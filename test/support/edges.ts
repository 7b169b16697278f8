import type { Backplane, BackplaneEvents, Entry, Published } from "../../src/backplane/backplane.ts";
import { createLocalBackplane } from "../../src/backplane/local.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { WorkerStatus } from "../../src/protocol/status.ts";
import { type Broker, createBroker } from "../../src/threads/core/broker.ts";
import { createGate, type Gate } from "../../src/threads/core/gate.ts";
import { createSeat, type Seat } from "../../src/threads/core/seat.ts";
import { createPort, type Port } from "../../src/threads/edge/port.ts";
import { createQuestions } from "../../src/threads/edge/questions.ts";
import { createOutbox, unpack } from "../../src/threads/wire/batch.ts";
import type { ToCore } from "../../src/threads/wire/to-core.ts";
import type { ToEdge } from "../../src/threads/wire/to-edge.ts";
import { createFakeRuntime, type FakeRuntime } from "./fake-runtime.ts";
import { configOf } from "./load-config.ts";

/** A core and its edges in one thread. What they post to each other arrives when the test says so. */
export interface Edges {
  readonly runtime: FakeRuntime;
  /** The core's own. */
  readonly backplane: Backplane;
  readonly broker: Broker;
  readonly gate: Gate;
  readonly seats: Set<Seat>;
  /** Another edge. */
  add(): FakeEdge;
  /** Lets everything arrive, and what is posted in answer to it, until all is quiet. */
  settle(): Promise<void>;
}

export interface FakeEdge {
  readonly seat: Seat;
  readonly port: Port;
  readonly backplane: Backplane;
  readonly outbox: ReturnType<typeof createOutbox<ToCore>>;
  /** What the hub on it has been told, in order. */
  readonly entries: Entry[];
  readonly told: string[];
  /** Entries delivered and not yet said to be sent. */
  readonly unsaid: Entry[];
  /** What `commands` returns. */
  canTake: boolean;
  /** While it is set nothing arrives at this edge. */
  isHeld: boolean;
  readonly commands: string[];
}

export function createEdges(env: Readonly<Record<string, string>> = {}): Edges {
  const runtime = createFakeRuntime();
  const config = configOf({ env });
  const backplane = createLocalBackplane({ config, runtime, log: {}, metrics: createMetrics() });
  const seats = new Set<Seat>();
  const gate = createGate(seats);
  const broker = createBroker({
    backplane,
    seats,
    gate,
    runtime: { after: runtime.after, soon: queueMicrotask },
  });
  backplane.start(broker.events);
  /** Batches under way, in the order in which they were posted. */
  const toCore: { readonly from: FakeEdge; readonly batch: string }[] = [];
  const toEdges = new Map<FakeEdge, string[]>();

  const add = (): FakeEdge => {
    const inbox: string[] = [];
    const seat = createSeat(seats.size, (batch) => void inbox.push(batch), queueMicrotask);
    const outbox = createOutbox<ToCore>(
      (batch) => void toCore.push({ from: edge, batch }),
      queueMicrotask,
      queueMicrotask,
    );
    const questions = createQuestions(outbox);
    const unsaid: Entry[] = [];
    const port = createPort({
      config,
      runtime,
      log: {},
      outbox,
      questions,
      stream: broker.stream(),
      delivered: (entries) => void unsaid.push(...entries),
    });
    const edge: FakeEdge = {
      seat,
      port,
      backplane: port.backplane,
      outbox,
      entries: [],
      told: [],
      unsaid,
      canTake: true,
      isHeld: false,
      commands: [],
    };
    port.backplane.start(recorder(edge));
    seats.add(seat);
    toEdges.set(edge, inbox);
    return edge;
  };

  const arriveAtCore = (): boolean => {
    const next = toCore.shift();
    if (next === undefined) return false;
    const { ops, texts } = unpack<ToCore>(next.batch);
    for (const op of ops) {
      if (!broker.take(next.from.seat, op, texts)) throw new Error(`nobody takes ${op.op}`);
    }
    return true;
  };
  const arriveAtEdges = (): boolean => {
    let hasArrived = false;
    for (const [edge, inbox] of toEdges) {
      const batch = edge.isHeld ? undefined : inbox.shift();
      if (batch === undefined) continue;
      hasArrived = true;
      const { ops, texts } = unpack<ToEdge>(batch);
      for (const op of ops) {
        if (!edge.port.take(op, texts)) throw new Error(`nobody takes ${op.op}`);
      }
    }
    return hasArrived;
  };

  return {
    runtime,
    backplane,
    broker,
    gate,
    seats,
    add,
    async settle() {
      for (let quiet = 0; quiet < 5; quiet += 1) {
        // Promises that have been settled are looked at, too.
        await Promise.resolve();
        if (arriveAtCore() || arriveAtEdges()) quiet = 0;
      }
    },
  };
}

function recorder(edge: FakeEdge): BackplaneEvents {
  const status = ({ status: word, metadata }: WorkerStatus): string => `${word} ${metadata}`;
  return {
    entries: (entries) => void edge.entries.push(...entries),
    reset: (why) => void edge.told.push(`reset: ${why}`),
    status: (changed) => void edge.told.push(status(changed)),
    registered: (token, now) => void edge.told.push(`${token} registered: ${status(now)}`),
    superseded: (token, why) => void edge.told.push(`${token} superseded: ${why}`),
    commands(token, deliveries) {
      for (const { id, attempt, text } of deliveries) edge.commands.push(`${token} ${id} ${attempt} ${text}`);
      return edge.canTake;
    },
    hold: (token, isHeld) => void edge.told.push(`${token} ${isHeld ? "held" : "goes on"}`),
    receivers: () => ({ websocket: 0, sse: 0 }),
  };
}

/** Publishes on an edge. The result is there once all has settled. */
export function publishOn(
  { backplane }: Pick<FakeEdge, "backplane">,
  texts: readonly string[],
  more: { readonly worker?: string; readonly key?: string } = {},
): { result: Published | undefined } {
  const outcome: { result: Published | undefined } = { result: undefined };
  backplane.append({
    messages: texts.map((text) => ({ text, type: undefined, conflationKey: undefined })),
    source: "http",
    worker: more.worker,
    key: more.key === undefined ? undefined : { key: more.key, digest: texts.join() },
    done(result) {
      outcome.result = result;
    },
  });
  return outcome;
}
