import { within } from "../../support/deadline.ts";
import type { MortalHub } from "../../support/mortal-hub.ts";
import type { FaultProxy } from "../../support/proxy.ts";
import type { Random } from "../../support/random.ts";
import type { Redis } from "../../support/redis.ts";
import { TIMEOUT_MS } from "./scene.ts";

/** Where something can go wrong. */
export interface Place {
  readonly redis: Redis;
  /** A hub, and its network to Redis. */
  readonly node: { readonly hub: MortalHub; readonly proxy: FaultProxy };
  readonly random: Random;
}

/** How long something is away: mostly shorter than what anybody waits for, now and then longer. */
const away = (random: Random): Promise<void> =>
  Bun.sleep(random.below(4) === 0 ? TIMEOUT_MS + random.below(TIMEOUT_MS) : random.below(TIMEOUT_MS / 2));

/** Each resolves when it is over, and nothing is wrong any more but for what it has left behind. */
export const FAULTS: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  async "a hub is killed"({ node: { hub }, random }) {
    await hub.kill();
    await away(random);
    hub.start();
    // A hub that finds no Redis as it starts ends again, for whoever runs it to start it anew.
    await within(hub.up(), "start after a kill");
  },
  async "a hub stands still"({ node: { hub }, random }) {
    hub.signal("SIGSTOP");
    await away(random);
    hub.signal("SIGCONT");
  },
  async "Redis is killed"({ redis, random }) {
    await redis.kill();
    await away(random);
    await redis.start();
  },
  async "Redis stands still"({ redis, random }) {
    redis.stop();
    await away(random);
    redis.continue();
  },
  async "Redis drops its clients"({ redis }) {
    await redis.cli("CLIENT", "KILL", "TYPE", "normal");
  },
  async "connections are reset"({ node: { proxy }, random }) {
    proxy.plan(() => ({ isRefused: true }));
    proxy.cutAll("reset");
    await away(random);
    proxy.plan(() => ({}));
  },
  async "connections end"({ node: { proxy } }) {
    proxy.cutAll("end");
    await Promise.resolve();
  },
  async "connections fall silent"({ node: { proxy }, random }) {
    proxy.plan(() => ({ cutUpBytes: 0, cutBy: "silence" }));
    proxy.cutAll("silence");
    await away(random);
    proxy.plan(() => ({}));
  },
  /** What Redis has done, the hub does not learn. */
  async "answers are cut off in the middle"({ node: { proxy }, random }) {
    proxy.plan(() => ({ cutDownBytes: 2_000 + random.below(20_000) }));
    proxy.cutAll("reset");
    await away(random);
    proxy.plan(() => ({}));
    proxy.cutAll("reset");
  },
  async "the network takes its time"({ node: { proxy }, random }) {
    proxy.plan(() => ({ delayMs: random.below(50) }));
    proxy.cutAll("end");
    await away(random);
    proxy.plan(() => ({}));
    proxy.cutAll("end");
  },
};
