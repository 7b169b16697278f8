import { expect, setDefaultTimeout, test } from "bun:test";
import type { TransportName } from "../../../src/client/index.ts";
import { publishOne } from "../../support/api.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { createProxy, type Faults } from "../../support/proxy.ts";
import { subscribe } from "./subscriber.ts";

// The client library behind a proxy that cuts its connections: at every byte, in either direction.

setDefaultTimeout(60_000);

/** What comes from the hub on a connection that resumes: the handshake's answer, `hello`, a message and `live`. */
const DOWN_BYTES = 900;
/** And what goes to it: the request. */
const UP_BYTES = 500;

const numbered = (n: number): string => `{"type":"DOC_PROGRESS","n":${n}}`;

interface Sweep {
  readonly bytes: number;
  readonly fault: (bytes: number) => Faults;
  readonly options: { readonly transport: TransportName };
}

/** Lets each connection live for one byte more than the one before, and publishes something at each. */
async function sweep({ bytes, fault, options }: Sweep): Promise<void> {
  await using hub: Hub = await startHub();
  await using proxy = createProxy(hub.url);
  proxy.plan((connection) => (connection < bytes ? fault(connection + 1) : {}));
  using subscriber = subscribe(proxy.url, { since: "earliest", ...options });
  const published: string[] = [];
  for (let seen = 0; seen < bytes; ) {
    const text = numbered(published.length);
    await publishOne(hub, text);
    published.push(text);
    // It may take several until this connection reaches its end.
    const isOver = (): boolean => proxy.acceptedAtMs.length > seen || subscriber.texts.includes(text);
    await subscriber.when("the message, or the next connection", isOver);
    seen = proxy.acceptedAtMs.length;
  }
  const last = numbered(published.length);
  await publishOne(hub, last);
  await subscriber.until(last);
  expect(subscriber.resets).toEqual([]);
  expect(subscriber.texts).toEqual([...published, last]);
  expect(subscriber.connection.info().transport).toBe(options.transport);
}

for (const cutBy of ["reset", "end"] as const) {
  test(`a WebSocket whose stream is cut (${cutBy}) after 1, 2, 3, … bytes misses and repeats nothing`, () =>
    sweep({
      bytes: DOWN_BYTES,
      fault: (cutDownBytes) => ({ cutDownBytes, cutBy }),
      options: { transport: "websocket" },
    }));

  test(`so does an SSE stream (${cutBy})`, () =>
    sweep({
      bytes: DOWN_BYTES,
      fault: (cutDownBytes) => ({ cutDownBytes, cutBy }),
      options: { transport: "sse" },
    }));
}

test.each(["websocket", "sse"] as const)("a request that is cut at every byte: %s", async (transport) => {
  await using hub = await startHub();
  await using proxy = createProxy(hub.url);
  proxy.plan((connection) => (connection < UP_BYTES ? { cutUpBytes: connection + 1 } : {}));
  using subscriber = subscribe(proxy.url, { since: "earliest", transport });
  const texts = Array.from({ length: 50 }, (_, n) => numbered(n));
  for (const text of texts) await publishOne(hub, text);
  await subscriber.until(texts.at(-1) ?? "");
  // Every length of the request has been tried before one was whole.
  expect(proxy.acceptedAtMs.length).toBeGreaterThan(150);
  expect(subscriber.texts).toEqual(texts);
});
