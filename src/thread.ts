import { systemRuntime } from "./runtime.ts";
import type { Inbox } from "./threads/edge/inbox.ts";
import { startEdgeThread } from "./threads/edge/thread.ts";
import type { EdgeStart } from "./threads/wire/to-edge.ts";

// What another thread of the hub runs, in place of main.ts. The first message says what it is, each other one is a batch.

declare const self: Worker;

let edge: Inbox | undefined;

self.onmessage = ({ data }) => {
  if (edge === undefined) {
    edge = startEdgeThread(data as EdgeStart, systemRuntime(), (batch) => self.postMessage(batch));
  } else {
    edge.hear(data as string);
  }
};
