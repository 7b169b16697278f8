import { describe, expect } from "bun:test";
import { RedisError } from "../../src/backplane/redis/error.ts";
import { lastingPort } from "../support/port.ts";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { type Env, startNode } from "./node.ts";

// What a hub says when it cannot use its Redis, and what it warns of.

const FAST: Env = { REDIS_TIMEOUT_MS: "400" };

/** The one line with which a start fails. */
async function refusal(url: string, env: Env = FAST): Promise<string> {
  try {
    await using _ = await startNode(url, env);
  } catch (error) {
    expect(error).toBeInstanceOf(RedisError);
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message;
  }
  throw new Error("it has started");
}

/** A server that answers each command with the next of these. */
function fakeServer(answer: (command: string) => string) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        for (const [, name = ""] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
          socket.write(answer(name.toUpperCase()));
        }
      },
    },
  });
}

describe("a start is refused with one line for people:", () => {
  test("nobody listens", async () => {
    const port = lastingPort();
    expect(await refusal(`redis://127.0.0.1:${port}`)).toBe(
      `REDIS_URL (127.0.0.1:${port}): nobody listens there: is Redis running?`,
    );
  });

  test("a wrong password, which is not shown", async () => {
    await using redis = await startRedis({ args: ["--requirepass", "right"] });
    const message = await refusal(`redis://:wr0ng-secret@127.0.0.1:${redis.port}`);
    expect(message).toContain("refuses the user or the password");
    expect(message).not.toContain("wr0ng-secret");
    expect(await refusal(redis.url)).toContain("it wants a password");
    await using node = await startNode(`redis://:right@127.0.0.1:${redis.port}`, FAST);
    expect(node.backplane.checks()["redis"]).toEqual({ ok: true });
    expect(node.logLines.join("\n")).not.toContain("right");
  });

  test("a wrong password of a user, though Redis serves those who have none", async () => {
    await using redis = await startRedis();
    await redis.cli("ACL", "SETUSER", "hub", "on", ">right", "~*", "+@all");
    const message = await refusal(`redis://hub:wr0ng@127.0.0.1:${redis.port}`);
    expect(message).toContain("refuses the user or the password");
  });

  test("a Redis that is too old", async () => {
    const info = "# Server\r\nredis_version:6.0.16\r\nrun_id:0123\r\n";
    const server = fakeServer((name) =>
      name === "HELLO"
        ? "%1\r\n+proto\r\n:3\r\n"
        : name === "INFO"
          ? `$${info.length}\r\n${info}\r\n`
          : "+OK\r\n",
    );
    expect(await refusal(`redis://127.0.0.1:${server.port}`)).toContain(
      "Redis 6.0.16 is too old: use 6.2 or newer",
    );
    server.stop(true);
  });

  test("a Redis so old that it does not know HELLO", async () => {
    const info = "# Server\r\nredis_version:5.0.14\r\nrun_id:0123\r\n";
    const server = fakeServer((name) =>
      name === "INFO" ? `$${info.length}\r\n${info}\r\n` : `-ERR unknown command \`${name}\`\r\n`,
    );
    expect(await refusal(`redis://127.0.0.1:${server.port}`)).toContain("Redis 5.0.14 is too old");
    server.stop(true);
  });

  test("somebody who says nothing", async () => {
    const server = fakeServer(() => "");
    expect(await refusal(`redis://127.0.0.1:${server.port}`)).toContain("no answer within 400 ms");
    server.stop(true);
  });

  test("somebody who is no Redis", async () => {
    const server = fakeServer(() => "HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await refusal(`redis://127.0.0.1:${server.port}`)).toMatch(/no Redis|no answer/);
    server.stop(true);
  });
});

test("a memory policy that may evict the stream is a warning that names the repair", async () => {
  await using redis = await startRedis({
    args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
  });
  await using node = await startNode(redis.url);
  expect(node.backplane.checks()).toEqual({
    redis: { ok: true },
    redis_memory: {
      ok: false,
      isWarning: true,
      detail:
        "Redis may evict the stream when its memory is full (maxmemory-policy allkeys-lru): set maxmemory-policy noeviction",
    },
  });
});

test("without eviction there is nothing to warn of", async () => {
  await using redis = await startRedis({ args: ["--maxmemory", "100mb"] });
  await using node = await startNode(redis.url);
  expect(node.backplane.checks()).toEqual({ redis: { ok: true }, redis_memory: { ok: true } });
});

test("hubs under different prefixes know nothing of one another", async () => {
  await using redis = await startRedis();
  await using a = await startNode(redis.url, { REDIS_PREFIX: "one:" });
  await using b = await startNode(redis.url, { REDIS_PREFIX: "two:" });
  await a.publish('{"n":1}');
  await a.until(() => a.texts().length === 1, "its message");
  expect(b.backplane.head()).toBe(0);
  const names = (await redis.cli("KEYS", "*")) as string[];
  expect(names.filter((name) => !/^(one|two):/.test(name))).toEqual([]);
});
