import { CRASH } from "./message.ts";
import "../../../src/thread.ts";

declare const self: Worker;

const take = self.onmessage;
self.onmessage = (event: MessageEvent) => {
  if (event.data !== CRASH) {
    take?.call(self, event);
    return;
  }
  // As a fault in a timer or a handler: nobody catches it.
  setTimeout(() => {
    throw new Error(CRASH);
  }, 0);
};
