import { expect } from "bun:test";
import { blocksOf, README } from "../readme/document.ts";
import { publishOne } from "../support/api.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { NGINX, startNginx } from "../support/nginx.ts";
import { joinWorker, online } from "../support/parties.ts";
import { HAS_REDIS, startRedis } from "../support/redis.ts";
import { testThatNeeds } from "../support/skip.ts";
import { joinLive, joinStream, type StreamClient } from "../support/streamclient.ts";

// Three hubs on one Redis behind nginx, with the lines that the README gives for it.

const blocks = blocksOf(await Bun.file(README).text());
const blockOf = (wanted: string): string => blocks.find(({ name }) => name === wanted)?.text ?? "";
const nginxTest = testThatNeeds("nginx and redis-server", NGINX !== undefined && HAS_REDIS);

nginxTest("three hubs behind nginx are one: nobody has to come back to where they were", async () => {
  await using started = new AsyncDisposableStack();
  const redis = started.use(await startRedis());
  const hubs: Hub[] = [];
  for (let at = 0; at < 3; at++) {
    hubs.push(started.use(await startHub({ env: { REDIS_URL: redis.url, TRUST_PROXY: "1" } })));
  }
  const addresses = hubs.map(({ url }, at) => [`hub-${at + 1}:8000`, new URL(url).host] as const);
  const server = blockOf("nginx.conf").replaceAll("http://vectra-hub:8000", "http://vectra-hubs");
  const nginx = started.use(
    await startNginx(`${blockOf("three hubs")}\n${server}`, {
      ...Object.fromEntries(addresses),
      "vectra-api:8000": "127.0.0.1:9",
    }),
  );
  const [first] = hubs;
  if (first === undefined) throw new Error("there is no hub");
  const proxied: Hub = {
    ...first,
    url: nginx.url,
    wsUrl: (query = "") => `${nginx.url.replace("http:", "ws:")}/api/v1/ws${query === "" ? "" : `?${query}`}`,
  };

  const streams: StreamClient[] = [];
  for (let n = 0; n < 6; n++) streams.push(started.use(await joinLive(proxied)));
  const isServing = await Promise.all(
    hubs.map(async ({ url }) =>
      (await (await fetch(`${url}/metrics`)).text()).includes('transport="websocket"} 2'),
    ),
  );
  expect(isServing).toEqual([true, true, true]);

  const worker = started.use(await joinWorker(proxied));
  worker.send('{"n":1}');
  const told = await Promise.all(streams.map((stream) => stream.texts(2)));
  expect(told).toEqual(streams.map(() => [online(), '{"n":1}']));

  // One of them dies, perhaps that of the worker, whose lease goes on for a while. What was published meanwhile is there for whoever comes back.
  const since = await publishOne(first, '{"n":2}');
  first.kill("SIGKILL");
  await first.exited;
  const [, second] = hubs;
  if (second === undefined) throw new Error("there is no second hub");
  await publishOne(second, '{"n":3}');
  for (let n = 0; n < 3; n++) {
    await using back = await joinStream(proxied, { since });
    expect(back.hello.resumed).toBe(true);
    expect(await back.texts(1)).toEqual(['{"n":3}']);
  }
});
