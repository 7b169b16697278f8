import { type Hub, SECRET } from "../../support/hub.ts";
import { createQueue } from "../../support/queue.ts";
import { readStreamFrame, STREAM, type StreamFrame } from "../../support/streamframe.ts";
import { saying } from "./statuses.ts";

/** A worker in stream framing that goes on whatever becomes of its hub, until its socket is closed. */
export interface FaultWorker extends Disposable {
  readonly name: string;
  /** Publishes its next message, and does not wait. @returns its text */
  publish(): string;
  send(frame: object): void;
  /** The next frame. */
  next(): Promise<StreamFrame>;
  /** The next command; what comes before it is left out. */
  nextCommand(): Promise<Extract<StreamFrame, { type: "command" }>>;
  /** The numbers of its messages that were acknowledged, with their cursors. */
  readonly acknowledged: ReadonlyMap<number, string>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Connects, and waits until it is accepted, or replaced already; then it names itself, and takes commands. */
export async function joinFaultWorker({ wsUrl }: Hub, name: string): Promise<FaultWorker> {
  const socket = new WebSocket(wsUrl("client_type=worker"), {
    headers: { "x-worker-secret": SECRET },
    protocols: [STREAM],
  });
  const frames = createQueue<StreamFrame>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const acknowledged = new Map<number, string>();
  let count = 0;
  socket.onmessage = ({ data }) => {
    const frame = readStreamFrame(String(data));
    if (frame.type === "ack") acknowledged.set(Number(frame.ref), frame.id);
    frames.push(frame);
  };
  socket.onclose = ({ code, reason }) => {
    frames.end(`the worker ${name} was closed: ${code} ${reason}`);
    closed.resolve({ code, reason });
  };
  const next = (): Promise<StreamFrame> => frames.next(`a frame for the worker ${name}`);
  // One that is replaced in the same moment hears of nothing else.
  await Promise.race([next().catch(() => undefined), closed.promise]);
  const send = (frame: object | string): void =>
    socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  send({ type: "register", metadata: { name } });
  return {
    name,
    publish() {
      count += 1;
      const text = saying(name, count);
      send(`{"type":"publish","ref":"${count}","data":${text}}`);
      return text;
    },
    send,
    next,
    async nextCommand() {
      for (let frame = await next(); ; frame = await next()) if (frame.type === "command") return frame;
    },
    acknowledged,
    closed: closed.promise,
    [Symbol.dispose]: () => socket.terminate(),
  };
}
