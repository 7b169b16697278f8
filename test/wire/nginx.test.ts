import { describe, expect } from "bun:test";
import { blocksOf, README } from "../readme/document.ts";
import { call, publishOne } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { type Hub, type HubEnv, startHub } from "../support/hub.ts";
import { NGINX, startNginx } from "../support/nginx.ts";
import { joinClient, joinWorker, OFFLINE, online } from "../support/parties.ts";
import { handshake } from "../support/rawsocket.ts";
import { testThatNeeds } from "../support/skip.ts";
import { joinLiveSse } from "../support/sse-stream.ts";
import { joinLive, joinStream } from "../support/streamclient.ts";
import { enter, knock, knockSse, requestFrom, untilStatus } from "../support/visitor.ts";

// The hub behind nginx, with the lines that the README gives for it.

const SERVER = blocksOf(await Bun.file(README).text()).find(({ name }) => name === "nginx.conf")?.text ?? "";
const nginxTest = testThatNeeds("nginx", NGINX !== undefined);
const MESSAGE = '{"type": "DOC_UPDATE", "id": 9007199254740993, "ratio": 1.0}';

interface Site extends AsyncDisposable {
  readonly hub: Hub;
  /** The same hub, as those see it who come through nginx. */
  readonly proxied: Hub;
  readonly origin: string;
}

/** A hub, nginx in front of it, and beside it an API that answers everything with its name. */
async function startSite(env: HubEnv = {}): Promise<Site> {
  expect(SERVER).toContain("location = /api/v1/ws");
  await using started = new AsyncDisposableStack();
  const hub = started.use(await startHub({ env: { TRUST_PROXY: "1", ...env } }));
  const api = started.use(
    Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("vectra-api") }),
  );
  const nginx = started.use(
    await startNginx(SERVER, {
      "vectra-hub:8000": new URL(hub.url).host,
      "vectra-api:8000": `127.0.0.1:${api.port}`,
    }),
  );
  const wsUrl: Hub["wsUrl"] = (query = "", path = "/api/v1/ws") =>
    `${nginx.url.replace("http:", "ws:")}${path}${query === "" ? "" : `?${query}`}`;
  const all = started.move();
  return {
    hub,
    proxied: { ...hub, url: nginx.url, wsUrl },
    origin: nginx.url,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

describe("through nginx", () => {
  nginxTest("worker and dashboards have their WebSockets, in both framings", async () => {
    await using site = await startSite();
    await using client = await joinClient(site.proxied);
    await using stream = await joinLive(site.proxied);
    await using worker = await joinWorker(site.proxied);
    expect(await client.next()).toBe(online());
    worker.send(MESSAGE);
    expect(await client.next()).toBe(MESSAGE);
    expect(await stream.texts(2)).toEqual([online(), MESSAGE]);
    await worker.close();
    expect(await client.next()).toBe(OFFLINE);
  });

  nginxTest(
    "each event arrives before the next one is sent, however small: nothing is held back",
    async () => {
      await using site = await startSite();
      await using events = await joinLiveSse(site.proxied);
      expect(events.headers.get("content-type")).toStartWith("text/event-stream");
      for (let n = 0; n < 20; n += 1) {
        const text = JSON.stringify({ n });
        const id = await publishOne(site.hub, text);
        expect(await events.nextMessage()).toEqual({ id, data: text });
      }
    },
  );

  nginxTest("a dashboard that goes is gone from the hub, and comes back where it was", async () => {
    await using site = await startSite();
    await using worker = await joinWorker(site.hub);
    let cursor = "";
    {
      await using stream = await joinLive(site.proxied);
      cursor = stream.cursor();
      await stream.leave();
    }
    worker.send(MESSAGE);
    await worker.untilPong();
    await using back = await joinStream(site.proxied, { since: cursor });
    expect(back.hello.resumed).toBe(true);
    expect((await back.untilLive()).messages.map(({ data }) => data)).toEqual([MESSAGE]);
    await using events = await joinLiveSse(site.proxied);
    events.tcp.reset();
    const sseClients = async (): Promise<number> =>
      Number(/transport="sse"} (\d+)/.exec((await call(site.hub, "/metrics")).body)?.[1]);
    const gone = async (): Promise<void> => {
      while ((await sseClients()) > 0) await Bun.sleep(5);
    };
    await within(gone(), "the end of the event stream");
  });

  nginxTest("everybody is sent away with the hub's own close code and goodbye", async () => {
    await using site = await startSite();
    await using client = await joinClient(site.proxied);
    await using stream = await joinLive(site.proxied);
    await using events = await joinLiveSse(site.proxied);
    expect(await site.hub.stop()).toBe(0);
    expect((await within(client.closed, "close of the client")).code).toBe(1001);
    const { frames, code } = await stream.untilClose();
    expect(code).toBe(1001);
    expect(frames.at(-1)).toMatchObject({ type: "goodbye" });
    expect((await events.nextEvent("goodbye")).json).toMatchObject({ type: "goodbye" });
    expect(await events.ended).toBe("whole");
  });

  nginxTest("an address is the client's own, whatever else it claims to be (TRUST_PROXY=1)", async () => {
    await using site = await startSite({ MAX_CONNECTIONS_PER_ADDRESS: "1" });
    const ask = (address: string, forged: Record<string, string> = {}): Promise<{ status: number }> =>
      requestFrom(address, site.proxied.url, handshake(site.proxied.wsUrl(), forged));
    await using _first = await enter(site.proxied);
    expect((await ask("127.0.0.1")).status).toBe(503);
    expect((await ask("127.0.0.1", { "x-forwarded-for": "203.0.113.7" })).status).toBe(503);
    // Its place is free again a moment after its end.
    await untilStatus("a place for another address", 101, () => ask("127.0.0.2"));
    await untilStatus("a place for it again, whoever it claims to be", 101, () =>
      ask("127.0.0.2", { "x-forwarded-for": "127.0.0.1" }),
    );
  });

  nginxTest("without TRUST_PROXY all clients have nginx's address", async () => {
    await using site = await startSite({ TRUST_PROXY: "0", MAX_CONNECTIONS_PER_ADDRESS: "1" });
    await using _first = await enter(site.proxied);
    const head = handshake(site.proxied.wsUrl());
    expect((await requestFrom("127.0.0.2", site.proxied.url, head)).status).toBe(503);
  });

  nginxTest("in production pages of the same origin may connect, port included, and no others", async () => {
    await using site = await startSite({ ENV: "production" });
    const { hostname, port } = new URL(site.origin);
    const statuses = async (headers: Record<string, string>): Promise<number[]> => [
      (await knock(site.proxied, { headers })).status,
      (await knockSse(site.proxied, { headers })).status,
    ];
    expect(await statuses({ origin: site.origin })).toEqual([101, 200]);
    for (const foreign of [
      `http://${hostname}`,
      `https://${hostname}:${port}`,
      `http://${hostname}:${Number(port) + 1}`,
      "http://elsewhere.example",
      "null",
    ]) {
      expect({ foreign, statuses: await statuses({ origin: foreign }) }).toEqual({
        foreign,
        statuses: [403, 403],
      });
    }
    const forged = { origin: "http://elsewhere.example", "x-forwarded-host": "elsewhere.example" };
    expect(await statuses(forged)).toEqual([403, 403]);
  });

  nginxTest("only the hub's two paths go to the hub, and only clients' calls", async () => {
    await using site = await startSite();
    const bodyOf = async (path: string): Promise<string> => (await call(site.proxied, path)).body;
    for (const path of ["/api/v1/publish", "/api/v1/stats", "/api/v1/worker/messages", "/api/v1/wsx"]) {
      expect(await bodyOf(path)).toBe("vectra-api");
    }
    expect((await call(site.proxied, "/api/v1/ws")).status).toBe(426);
    for (const path of ["/metrics", "/readyz"]) expect(await bodyOf(path)).not.toContain("vectra");
  });
});
