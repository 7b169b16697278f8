import { expect, setDefaultTimeout, test } from "bun:test";
import { resolve } from "node:path";
import { connect, connectWorker } from "../../../src/client/index.ts";
import { publishAt } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { type HubEnv, startHub } from "../../support/hub.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { createProxy } from "../../support/proxy.ts";
import { numbered } from "../../support/publish.ts";
import { subscribe } from "./subscriber.ts";

// The client library with a network that falls silent or is slow, and a hub that is killed.

setDefaultTimeout(60_000);

const TRANSPORTS = ["websocket", "sse"] as const;

test.each(TRANSPORTS)(
  "a connection that has fallen silent is noticed and made anew: %s",
  async (transport) => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "300" } });
    await using proxy = createProxy(hub.url);
    using subscriber = subscribe(proxy.url, { transport, probeTimeoutMs: 500 });
    await subscriber.when("the stream", () => subscriber.connection.state === "open");
    const texts = numbered(20);
    await publishAt(hub.url, texts.slice(0, 10));
    await subscriber.until(texts[9] ?? "");
    proxy.cutAll("silence");
    await publishAt(hub.url, texts.slice(10));
    await subscriber.until(texts[19] ?? "");
    expect(subscriber.texts).toEqual(texts);
    expect(subscriber.connection.info()).toMatchObject({ resumed: 1, resets: 0 });
  },
);

test.each(TRANSPORTS)("a slow network loses nothing: %s", async (transport) => {
  await using hub = await startHub();
  await using proxy = createProxy(hub.url);
  proxy.plan(() => ({ delayMs: 20, bytesPerSecond: 40_000 }));
  using subscriber = subscribe(proxy.url, { transport, since: "earliest" });
  const texts = numbered(1_000);
  await publishAt(hub.url, texts);
  await subscriber.until(texts.at(-1) ?? "");
  expect(subscriber.texts).toEqual(texts);
});

test("a loop that is slower than the stream is waited for, without a hole, where the WebSocket can pause and where it cannot", async () => {
  await using hub = await startHub();
  const texts = numbered(2_000);
  await publishAt(hub.url, texts);
  class NoPause extends WebSocket {
    override pause = undefined as never;
  }
  for (const WebSocketClass of [WebSocket, NoPause]) {
    const connection = connect(hub.url, {
      since: "earliest",
      transport: "websocket",
      bufferMessages: 100,
      WebSocket: WebSocketClass,
    });
    const seen: string[] = [];
    for await (const { text } of connection) {
      seen.push(text);
      if (seen.length % 100 === 0) await Bun.sleep(1);
      if (seen.length === texts.length) break;
    }
    const { resumed } = connection.info();
    connection.close();
    expect(seen).toEqual(texts);
    // Each time that a hundred waited it hung up.
    expect(resumed > 5).toBe(WebSocketClass === NoPause);
  }
});

async function restarts(env: HubEnv, transport: "websocket" | "sse"): Promise<void> {
  await using hub = createMortalHub(env);
  hub.start();
  await within(hub.up(), "the hub");
  using subscriber = subscribe(hub.url, { transport, backoff: { firstMs: 20, limitMs: 100 } });
  await subscriber.when("the stream", () => subscriber.connection.state === "open");
  const published: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const texts = numbered(20, published.length);
    await publishAt(hub.url, texts);
    published.push(...texts);
    await subscriber.until(published.at(-1) ?? "");
    await hub.kill();
    hub.start();
    await within(hub.up(), "the hub, again");
    if (env["HISTORY_FILE"] === undefined) {
      await subscriber.when("the reset", () => subscriber.resets.length === round + 1);
      expect(subscriber.resets.at(-1)).toBe("unknown");
    }
  }
  expect(subscriber.texts).toEqual(published);
  expect(subscriber.resets).toHaveLength(env["HISTORY_FILE"] === undefined ? 4 : 0);
}

test.each(TRANSPORTS)(
  "a hub with a history file that is killed: nothing is missed: %s",
  async (transport) => {
    await using folder = await createFolder();
    await restarts({ HISTORY_FILE: folder.file("history.db") }, transport);
  },
);

test.each(TRANSPORTS)("one without: onReset is called each time: %s", (transport) => restarts({}, transport));

test("where WebSockets are blocked the stream comes over SSE, and over a WebSocket as soon as one can be had", async () => {
  await using hub = await startHub();
  let isBlocked = true;
  const target = new URL(hub.url);
  // What a proxy does that does not know WebSockets.
  await using front = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) =>
      request.headers.has("upgrade")
        ? new Response(null, { status: 426 })
        : fetch(new URL(new URL(request.url).pathname + new URL(request.url).search, target), {
            headers: request.headers,
            signal: request.signal,
          }),
  });
  class Blocked extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(isBlocked ? url : url.replace(/127\.0\.0\.1:\d+/, target.host), protocols);
    }
  }
  using subscriber = subscribe(`http://127.0.0.1:${front.port}`, { WebSocket: Blocked });
  const { connection } = subscriber;
  await subscriber.when("the stream over SSE", () => connection.info().isLive || connection.state === "open");
  expect(connection.info().transport).toBe("sse");
  const texts = numbered(20);
  await publishAt(hub.url, texts.slice(0, 10));
  await subscriber.until(texts[9] ?? "");
  // The next SSE stream is accompanied by a try with a WebSocket.
  isBlocked = false;
  await front.stop(true);
  await subscriber.when(
    "a WebSocket",
    () => connection.info().transport === "websocket" && connection.state === "open",
  );
  await publishAt(hub.url, texts.slice(10));
  await subscriber.until(texts[19] ?? "");
  expect(subscriber.texts).toEqual(texts);
  expect(subscriber.resets).toEqual([]);
});

test("a wrong secret ends the worker for good, and rejects what it has published", async () => {
  await using hub = await startHub();
  const worker = connectWorker(hub.url, { secret: "wrong" });
  const published = worker.publish({ type: "A" }).catch((error: unknown) => error);
  const error = await within(worker.closed, "the end");
  expect(error).toMatchObject({ name: "HubError", code: "refused", status: 1008 });
  expect(await published).toBe(error as never);
});

test("Node has the same: every message, over a cut at every twentieth byte", async () => {
  await using hub = await startHub();
  await using proxy = createProxy(hub.url);
  proxy.plan((connection) => (connection < 40 ? { cutDownBytes: 20 * (connection + 1) } : {}));
  await using folder = await createFolder();
  const built = await Bun.build({
    entrypoints: [resolve(import.meta.dir, "../../../src/client/index.ts")],
    target: "browser",
    outdir: folder.path,
    naming: "client.mjs",
  });
  expect(built.success).toBe(true);
  const texts = numbered(50);
  await publishAt(hub.url, texts);
  const script = `
    import { connect } from ${JSON.stringify(folder.file("client.mjs"))};
    const connection = connect(${JSON.stringify(proxy.url)}, {
      since: "earliest", transport: "websocket", backoff: { firstMs: 2, limitMs: 10 },
    });
    let count = 0;
    for await (const { text } of connection) {
      console.log(text);
      count += 1;
      if (count === ${texts.length}) break;
    }
    connection.close();`;
  await Bun.write(folder.file("run.mjs"), script);
  const node = Bun.spawn(["node", "--no-warnings", "--experimental-websocket", folder.file("run.mjs")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const output = await within(node.stdout.text(), "the messages in Node");
    expect(output.trimEnd().split("\n")).toEqual(texts);
    expect(proxy.acceptedAtMs.length).toBeGreaterThan(5);
  } finally {
    node.kill("SIGKILL");
  }
});
