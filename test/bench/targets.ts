import { existsSync } from "node:fs";
import { join } from "node:path";
import { nchan, socketIo, ws } from "./peers.ts";
import { type Found, ROOT, type Target } from "./target.ts";

/** `HUB_COMMAND` (a JSON array), else the compiled binary where there is one, else the source. */
export function hubCommand(): readonly string[] {
  const configured = process.env["HUB_COMMAND"];
  if (configured !== undefined && configured !== "") return JSON.parse(configured) as string[];
  const binary = join(ROOT, "dist/vectra-hub");
  return existsSync(binary) ? [binary] : [process.execPath, join(ROOT, "src/main.ts")];
}

/** The hub with settings of its own, such as a history on a file. */
export function hubTarget(name: string, settings: Readonly<Record<string, string>>): Target {
  return { name, command: hubCommand(), settings };
}

/**
 * Everything that costs something, on top of what is always on (validation, metrics, flood limits, heartbeat, the
 * limit for slow consumers): production's checks, a history on a file, a list of origins, places per address.
 */
const EVERYTHING_ON = {
  ENV: "production",
  HISTORY_FILE: "{folder}/history.sqlite",
  ALLOWED_ORIGINS: "https://app.example.com,same-origin",
  MAX_CONNECTIONS: "50000",
  MAX_CONNECTIONS_PER_ADDRESS: "50000",
};

const TARGETS: Readonly<Record<string, () => Found | Promise<Found>>> = {
  floor: () => ({ name: "floor", command: [process.execPath, join(import.meta.dir, "floor.ts")] }),
  hub: () => hubTarget("hub", {}),
  "hub-file": () => ({
    ...hubTarget("hub-file", { HISTORY_FILE: EVERYTHING_ON.HISTORY_FILE }),
    framings: ["raw", "sse"],
  }),
  "hub-full": () => hubTarget("hub-full", EVERYTHING_ON),
  ws,
  "socket.io": socketIo,
  nchan,
};

/**
 * The targets by name, in order; a name given twice is measured twice, against itself. Somebody else's server that
 * cannot be had here is left out, and said to be.
 * @throws Error where a name is none of them
 */
export async function resolveTargets(
  names: readonly string[],
): Promise<{ targets: Target[]; leftOut: string[] }> {
  const targets: Target[] = [];
  const leftOut: string[] = [];
  for (const [index, name] of names.entries()) {
    const find = TARGETS[name];
    if (find === undefined) {
      throw new Error(`unknown target "${name}": one of ${Object.keys(TARGETS).join(", ")}`);
    }
    const found = await find();
    const earlier = names.slice(0, index).filter((other) => other === name).length;
    if ("missing" in found) leftOut.push(`${name}: ${found.missing}`);
    else targets.push(earlier === 0 ? found : { ...found, name: `${name} (${earlier + 1})` });
  }
  return { targets, leftOut };
}

/** One that has to be there. */
export async function resolveTarget(name: string): Promise<Target> {
  const { targets, leftOut } = await resolveTargets([name]);
  const [target] = targets;
  if (target === undefined) throw new Error(leftOut.join());
  return target;
}
