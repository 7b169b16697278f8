import { heal, partition, type Scene } from "./scene.ts";

/** A way for Redis to be out of reach for a while, with all it has acknowledged. */
export interface Outage {
  /** Resolves, if it is to be waited for, when it has begun. */
  begin(scene: Scene): unknown;
  end(scene: Scene): unknown;
}

export const OUTAGES: Readonly<Record<string, Outage>> = {
  "Redis is killed, and comes back with its data": {
    begin: ({ redis }) => redis.kill(),
    end: ({ redis }) => redis.start(),
  },
  "Redis shuts down in good order, and comes back": {
    begin: ({ redis }) => redis.kill("SIGTERM"),
    end: ({ redis }) => redis.start(),
  },
  "Redis stands still": {
    begin: ({ redis }) => redis.stop(),
    end: ({ redis }) => redis.continue(),
  },
  "the network resets and refuses every connection": {
    begin({ nodes }) {
      for (const { proxy } of nodes) {
        proxy.plan(() => ({ isRefused: true }));
        proxy.cutAll("reset");
      }
    },
    end: ({ nodes }) => nodes.forEach(heal),
  },
  "the network swallows everything": {
    begin: ({ nodes }) => nodes.forEach(partition),
    end: ({ nodes }) => nodes.forEach(heal),
  },
};

/** What passes at once, and leaves the connections of the hubs to Redis behind in pieces. */
export const BLIPS: Readonly<Record<string, (scene: Scene) => unknown>> = {
  "CLIENT KILL": ({ redis }) => redis.cli("CLIENT", "KILL", "TYPE", "normal"),
  "connections that are reset": ({ nodes }) => {
    for (const { proxy } of nodes) proxy.cutAll("reset");
  },
  "connections that end in good order": ({ nodes }) => {
    for (const { proxy } of nodes) proxy.cutAll("end");
  },
  "a restart of Redis with its data": ({ redis }) => redis.restart({ keepData: true }),
};
