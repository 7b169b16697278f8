import { SECRET } from "../../support/hub.ts";
import { nameOf } from "./ledger.ts";
import { makeMessage } from "./messages.ts";
import type { Run } from "./run.ts";

/** A stream-framed worker that publishes, takes commands, and comes back whatever ended its connection. */
export interface TestWorker {
  /** Resolves when the run is ending and every message that it has sent is acknowledged. */
  published(): Promise<void>;
  /** Resolves when the hub has read every acknowledgement that the worker owes it. */
  settled(): Promise<void>;
  stop(): void;
  /** Resolves after `stop`; fails when the hub broke the contract. */
  readonly ended: Promise<void>;
}

/** So many messages are on their way at once. Where one may be refused it is one: the next would overtake it. */
const WINDOW = 32;
/** After a refusal. Only so that it does not spin. */
const PAUSE_MS = 5;
/** It drops its connection at one in so many frames. */
const DROP_ONE_IN = 2_000;

export function startWorker(run: Run, from: string): TestWorker {
  const random = run.randomFor(from);
  const window = run.mayRefuse ? 1 : WINDOW;
  /** Sent and not acknowledged, oldest first: the texts by number. */
  const unacknowledged = new Map<number, string>();
  /** Commands whose acknowledgement it still owes, by id. */
  let owed: string[] = [];
  let count = 0;
  let sessions = 0;
  let isStopped = false;
  let socket: WebSocket | undefined;
  const allPublished = Promise.withResolvers<void>();
  let onPong: (() => void) | undefined;

  const publish = (to: WebSocket, n: number, text: string): void => {
    to.send(`{"type":"publish","ref":"${n}","key":"${from}:${n}","data":${text}}`);
  };
  const fillWindow = (to: WebSocket): void => {
    while (!run.isEnding() && unacknowledged.size < window) {
      count += 1;
      const text = makeMessage(random, from, count);
      run.ledger.offered(nameOf({ from, n: count }), text);
      unacknowledged.set(count, text);
      publish(to, count, text);
    }
    if (run.isEnding() && unacknowledged.size === 0) allPublished.resolve();
  };
  const payOwed = (to: WebSocket): string[] => {
    const paid = owed;
    owed = [];
    for (const id of paid) to.send(JSON.stringify({ type: "ack", id }));
    return paid;
  };

  /** What one connection has seen, to tell what must not come on it. */
  interface Session {
    readonly to: WebSocket;
    /** Acknowledged on this connection before it asked for commands. */
    readonly paid: ReadonlySet<string>;
    /** The newest command of each backend. */
    readonly newest: Map<string, number>;
  }

  const onCommand = ({ paid, newest }: Session, frame: string): void => {
    const { id, attempt } = JSON.parse(frame);
    const text = frame.slice(frame.indexOf('"data":') + 7, -1);
    const name = run.commands.delivered({ id, attempt, text });
    if (paid.has(id))
      throw new Error(`the command ${name} was delivered after its acknowledgement was received`);
    const { from: backend, n } = JSON.parse(text);
    if (n <= (newest.get(backend) ?? 0))
      throw new Error(`the command ${name} was delivered after ${backend}/${newest.get(backend)}`);
    newest.set(backend, n);
    owed.push(id);
  };

  const onRefusal = (to: WebSocket, ref: string, frame: string): void => {
    if (!run.mayRefuse) throw new Error(`the worker was refused: ${frame}`);
    setTimeout(() => {
      const text = unacknowledged.get(Number(ref));
      if (text !== undefined) publish(to, Number(ref), text);
    }, PAUSE_MS);
  };

  const onFrame = (session: Session, frame: string): void => {
    if (frame === "pong") {
      onPong?.();
      return;
    }
    const envelope = JSON.parse(frame);
    if (envelope.type === "error") onRefusal(session.to, envelope.ref, frame);
    if (envelope.type === "command") onCommand(session, frame);
    if (envelope.type === "ack") {
      const n = Number(envelope.ref);
      run.ledger.acknowledged(nameOf({ from, n }), envelope.id);
      unacknowledged.delete(n);
      fillWindow(session.to);
    }
    // It works on some commands for a while, so that their acknowledgement comes late or on the next connection.
    if (run.isEnding() || random.below(4) > 0) payOwed(session.to);
    if (!run.isEnding() && random.below(DROP_ONE_IN) === 0) session.to.terminate();
  };

  const connect = async (): Promise<void> => {
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    const to = new WebSocket(`${run.hub.url.replace("http:", "ws:")}/ws?client_type=worker`, {
      headers: { "x-worker-secret": SECRET },
      protocols: ["vectra.stream.v1"],
    });
    let session: Session | undefined;
    socket = to;
    to.onopen = () => {
      sessions += 1;
      session = { to, paid: new Set(payOwed(to)), newest: new Map() };
      to.send(JSON.stringify({ type: "register", metadata: { name: from, session: sessions } }));
      for (const [n, text] of unacknowledged) publish(to, n, text);
      fillWindow(to);
    };
    to.onmessage = ({ data }) => {
      // What was received but not yet read when it dropped the connection is lost to it.
      if (session === undefined || to.readyState !== WebSocket.OPEN) return;
      try {
        onFrame(session, String(data));
      } catch (error) {
        reject(error);
        to.terminate();
      }
    };
    to.onclose = () => resolve();
    await ended;
  };

  const live = async (): Promise<void> => {
    while (!isStopped) {
      await run.hub.up();
      await connect();
    }
  };

  return {
    published() {
      if (unacknowledged.size === 0) allPublished.resolve();
      return allPublished.promise;
    },
    settled() {
      const { promise, resolve } = Promise.withResolvers<void>();
      onPong = resolve;
      if (socket !== undefined) payOwed(socket);
      socket?.send("ping");
      return promise;
    },
    stop() {
      isStopped = true;
      socket?.terminate();
    },
    ended: live(),
  };
}
