import type { FrameName } from "./schemas.ts";

/** One way to be connected, and the frames that go either way (PROTOCOL.md, sections 1, 3 and 4). */
export interface Party {
  readonly title: string;
  readonly description: string;
  /** What the hub sends. */
  readonly sends: readonly FrameName[];
  /** What the hub understands. */
  readonly receives: readonly FrameName[];
  /** To each frame that is answered, the frames one of which is the answer. */
  readonly answers: Readonly<Partial<Record<FrameName, readonly FrameName[]>>>;
}

export const PARTIES = {
  rawClient: {
    title: "A client in raw framing",
    description:
      "A frame is the message itself. The first one is the worker's status. There is no cursor, so what was missed stays missed. Other frames than these are ignored.",
    sends: ["WorkerStatus", "Canary", "Message", "Pong"],
    receives: ["Ping", "GetWorkerStatus"],
    answers: { Ping: ["Pong"], GetWorkerStatus: ["WorkerStatus"] },
  },
  rawWorker: {
    title: "A worker in raw framing",
    description:
      "A frame is the message itself: it goes to every client, and not back to the worker. What is no JSON object is dropped with a warning in the log.",
    sends: ["WorkerStatus", "RawCommand", "Pong"],
    receives: ["Ping", "GetWorkerStatus", "RegisterWorker", "Message"],
    answers: { Ping: ["Pong"], GetWorkerStatus: ["WorkerStatus"] },
  },
  streamClient: {
    title: "A client in stream framing",
    description:
      "A frame is an envelope. First comes `hello`, then what was missed if `since` asked for it, then `live`, then what is new. The last cursor seen is the one to resume from. Other frames than these are ignored.",
    sends: ["Hello", "MessageFrame", "Live", "Position", "Goodbye", "WorkerFrame", "Pong"],
    receives: ["Ping", "GetWorkerStatus"],
    answers: { Ping: ["Pong"], GetWorkerStatus: ["WorkerFrame"] },
  },
  streamWorker: {
    title: "A worker in stream framing",
    description:
      "A frame is an envelope. The first one is the worker's status. A frame that the hub cannot read is answered with `error`.",
    sends: ["WorkerFrame", "PublishAck", "PublishError", "Command", "Pong"],
    receives: ["Ping", "GetWorkerStatus", "Register", "Publish", "CommandAck"],
    answers: {
      Ping: ["Pong"],
      GetWorkerStatus: ["WorkerFrame"],
      Publish: ["PublishAck", "PublishError"],
    },
  },
} as const satisfies Readonly<Record<string, Party>>;

export type PartyName = keyof typeof PARTIES;

/** The events of an SSE stream: by the name in `event:`, and without one a message. */
export const EVENTS = {
  hello: "Hello",
  live: "Live",
  goodbye: "Goodbye",
  message: "StreamMessage",
} as const satisfies Readonly<Record<string, FrameName>>;
