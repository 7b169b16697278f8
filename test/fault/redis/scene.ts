import { type Hub, type HubEnv, startHub } from "../../support/hub.ts";
import { createProxy, type FaultProxy, type Faults } from "../../support/proxy.ts";
import { untilReadiness } from "../../support/ready.ts";
import { type Redis, startRedis } from "../../support/redis.ts";

/** How long an answer of Redis may take in these tests, and how long the worker of a hub that is gone counts. */
export const TIMEOUT_MS = 800;
export const LEASE_MS = 2_000;

/** A hub, and the network between it and Redis. */
export interface Node {
  readonly hub: Hub;
  readonly proxy: FaultProxy;
}

/** Two hubs on one Redis that has on disk whatever it has acknowledged. */
export interface Scene extends AsyncDisposable {
  readonly redis: Redis;
  readonly nodes: readonly [Node, Node];
}

export interface SceneOptions {
  readonly env?: HubEnv;
  /** What is wrong with the network of both, from the beginning. */
  readonly faults?: Faults;
}

/** How a hub finds Redis through the proxy. */
export function redisThrough(proxy: FaultProxy): string {
  return proxy.url.replace("http:", "redis:");
}

/** Starts it all, and waits until both hubs are ready. */
export async function startScene({ env = {}, faults = {} }: SceneOptions = {}): Promise<Scene> {
  await using started = new AsyncDisposableStack();
  const redis = started.use(await startRedis());
  const startNode = async (): Promise<Node> => {
    const proxy = started.use(createProxy(`http://127.0.0.1:${redis.port}`));
    proxy.plan(() => faults);
    const settings = {
      REDIS_URL: redisThrough(proxy),
      REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
      WORKER_LEASE_MS: String(LEASE_MS),
    };
    const hub = started.use(await startHub({ env: { ...settings, ...env } }));
    await untilReadiness(hub.url, 200);
    return { hub, proxy };
  };
  const nodes = [await startNode(), await startNode()] as const;
  const owned = started.move();
  return { redis, nodes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** From now on nothing passes between this hub and Redis, and neither is told. */
export function partition({ proxy }: Node): void {
  proxy.plan(() => ({ cutUpBytes: 0, cutBy: "silence" }));
  proxy.cutAll("silence");
}

/** New connections pass again. Those that fell silent stay so until somebody gives them up. */
export function heal({ proxy }: Node): void {
  proxy.plan(() => ({}));
}
