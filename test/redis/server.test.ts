import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { RedisClient } from "bun";
import { createFolder } from "../support/folder.ts";
import { sharedRedis, startRedis, testWithRedis } from "../support/redis.ts";

// The server that the other tests stand on does what they take for granted.

testWithRedis("it answers on a port of its own, and ends with what was opened", async () => {
  const one = await startRedis();
  await using two = await startRedis();
  expect(one.port).not.toBe(two.port);
  expect([one.port, two.port]).not.toContain(6379);
  expect(await one.cli("SET", "name", "one")).toBe("OK");
  expect(await two.cli("GET", "name")).toBeNull();
  const { pid } = one;
  await one[Symbol.asyncDispose]();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  await expect(one.cli("PING")).rejects.toThrow();
});

testWithRedis("an error is an error, not an answer", async () => {
  await using redis = await startRedis();
  await redis.cli("SET", "text", "x");
  await expect(redis.cli("XLEN", "text")).rejects.toThrow("WRONGTYPE");
});

testWithRedis("its settings are the caller's, and so is its folder", async () => {
  await using folder = await createFolder();
  {
    await using redis = await startRedis({ dir: folder.path, args: ["--maxmemory", "12345678"] });
    expect(await redis.cli("CONFIG", "GET", "maxmemory")).toMatchObject({ maxmemory: "12345678" });
    await redis.cli("SET", "name", "kept");
  }
  await using again = await startRedis({ dir: folder.path });
  expect(await again.cli("GET", "name")).toBe("kept");
});

testWithRedis("a restart keeps the port, and the data if it is to", async () => {
  await using redis = await startRedis();
  const { url, pid } = redis;
  await redis.cli("SET", "name", "kept");
  await redis.restart({ keepData: true });
  expect(redis.url).toBe(url);
  expect(redis.pid).not.toBe(pid);
  expect(await redis.cli("GET", "name")).toBe("kept");
  await redis.restart({ keepData: true, signal: "SIGTERM" });
  expect(await redis.cli("GET", "name")).toBe("kept");
  await redis.restart({ keepData: false });
  expect(await redis.cli("GET", "name")).toBeNull();
});

testWithRedis("while it is stopped its connections stay, and what waits is answered afterwards", async () => {
  await using redis = await startRedis();
  const client = new RedisClient(redis.url);
  try {
    await client.connect();
    redis.stop();
    const answer = client.send("INCR", ["n"]);
    expect(await Promise.race([answer, Bun.sleep(200).then(() => "nothing")])).toBe("nothing");
    redis.continue();
    expect(await answer).toBe(1);
  } finally {
    client.close();
  }
});

testWithRedis("killed while it is stopped it is gone, and comes back", async () => {
  await using redis = await startRedis();
  redis.stop();
  await redis.kill();
  await redis.start();
  expect(await redis.cli("PING")).toBe("PONG");
});

testWithRedis("the shared one is one", async () => {
  expect(await sharedRedis()).toBe(await sharedRedis());
});
