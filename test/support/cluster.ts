import { randomUUID } from "node:crypto";
import { startBalancer } from "./balancer.ts";
import type { Hub, HubEnv, HubOptions } from "./hub.ts";
import { createHubOutput, type HubOutput, readingsOf, wsUrlOf } from "./hub-output.ts";
import { untilReadiness } from "./ready.ts";
import { sharedRedis } from "./redis.ts";

/**
 * Several hubs on one Redis behind a balancer, in the place of one hub: so that tests that were written for one run
 * against several unchanged, with their clients and workers spread over all.
 */
export async function startCluster(
  count: number,
  options: HubOptions,
  startOneHub: (options: HubOptions, also: HubOutput) => Promise<Hub>,
): Promise<Hub> {
  const { env: { PORT: port = "0", ...env } = {} } = options;
  const { prefix, redisEnv } = await redisSettings(env);
  const output = createHubOutput();
  let running = count;
  const end = (): void => {
    running -= 1;
    if (running === 0) output.end();
  };
  await using started = new AsyncDisposableStack();
  const starts = Array.from({ length: count }, async (_, at) => {
    // With threads or without, a hub behaves the same towards the others.
    const hubEnv = { ...redisEnv, THREADS: at % 2 === 0 ? "1" : "2" };
    return started.use(await startOneHub({ ...options, env: hubEnv }, { ...output, end }));
  });
  // Where one fails, the others end with it, also those that are not there yet.
  await Promise.allSettled(starts);
  const hubs = await Promise.all(starts);
  const [first] = hubs;
  if (first === undefined) throw new Error(`HUB_CLUSTER=${count}`);
  // One may listen before it has found its place in the stream.
  await Promise.all(hubs.map(({ url }) => untilReadiness(url, 200)));
  const nodes = hubs.map(({ url }) => url);
  const balancer = started.use(startBalancer(nodes, Number(port)));
  // As at the address of a hub that has ended. What they have sent before is still on its way.
  const exited = Promise.all(hubs.map((hub) => hub.exited)).then((codes) => {
    balancer.refuse();
    return Math.max(...codes);
  });
  const owned = started.move();
  return {
    url: balancer.url,
    wsUrl: wsUrlOf(balancer.url),
    nodes,
    pid: first.pid,
    ...readingsOf(output),
    kill(signal) {
      for (const hub of hubs) hub.kill(signal);
    },
    exited,
    async stop() {
      const codes = await Promise.all(hubs.map((hub) => hub.stop()));
      await exited;
      return Math.max(...codes);
    },
    async [Symbol.asyncDispose]() {
      await owned.disposeAsync();
      if (prefix !== undefined) await forget(prefix);
    },
  };
}

interface RedisSettings {
  /** Of what ends with these hubs. */
  readonly prefix: string | undefined;
  readonly redisEnv: HubEnv;
}

/**
 * What a history file is to one hub, a prefix is to hubs on one Redis: whoever is started with it goes on where the last
 * one ended. Without a file, each start has a prefix of its own.
 */
async function redisSettings({ HISTORY_FILE: file, ...env }: HubEnv): Promise<RedisSettings> {
  const { url } = await sharedRedis();
  const prefix = file === undefined ? `${randomUUID()}:` : `${Bun.hash(file).toString(36)}:`;
  return {
    prefix: file === undefined ? prefix : undefined,
    redisEnv: { ...env, REDIS_URL: url, REDIS_PREFIX: prefix },
  };
}

async function forget(prefix: string): Promise<void> {
  const redis = await sharedRedis();
  const keys = await redis.cli("KEYS", `${prefix}*`);
  if (Array.isArray(keys) && keys.length > 0) await redis.cli("UNLINK", ...keys.map(String));
}
