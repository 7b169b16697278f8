import { CRASH } from "./message.ts";

// The hub as it is, but for one thing: on SIGUSR2 its oldest thread fails as by a fault of its own. For that, each thread
// runs crash-on-demand.ts, which is what it would run anyway and listens for a word more.

const threads: Worker[] = [];
const Thread = globalThis.Worker;

globalThis.Worker = class extends Thread {
  constructor() {
    super(new URL("./crash-on-demand.ts", import.meta.url));
    threads.push(this);
  }
};

process.on("SIGUSR2", () => threads.shift()?.postMessage(CRASH));

await import("../../../src/main.ts");
