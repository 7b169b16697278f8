import { createEventParser } from "../support/event-stream.ts";

/**
 * As much of the browser's EventSource as the README's example uses, for Bun, which has none: a preload of the process
 * that runs the example. It does not come back when the connection ends.
 */
class EventSource extends EventTarget {
  onmessage: ((event: MessageEvent) => void) | null = null;

  constructor(url: string) {
    super();
    void this.#read(url);
  }

  async #read(url: string): Promise<void> {
    const response = await fetch(url, { headers: { accept: "text/event-stream" } });
    const parse = createEventParser();
    const decoder = new TextDecoder();
    let lastEventId = "";
    for await (const chunk of response.body ?? []) {
      for (const { id, event, data } of parse(decoder.decode(chunk, { stream: true }))) {
        lastEventId = id ?? lastEventId;
        if (data === undefined) continue;
        const message = new MessageEvent(event ?? "message", { data, lastEventId });
        this.dispatchEvent(message);
        if (message.type === "message") this.onmessage?.(message);
      }
    }
  }
}

Object.assign(globalThis, { EventSource });
