import { relative, resolve } from "node:path";
import type { Framing, Wire } from "./generator/receiver.ts";

/** The project's folder. */
export const ROOT = resolve(import.meta.dir, "../..");

/**
 * A server that can be measured. It takes HOST and PORT from its environment and logs where it listens, as the hub does;
 * or it has a configuration file that says where. In command, settings and configuration `{folder}` becomes a folder of
 * that start's own and, in the configuration, `{port}` a free port.
 */
export interface Target {
  name: string;
  command: readonly string[];
  /** Environment variables that differ from the defaults. */
  settings?: Readonly<Record<string, string>>;
  /** The text of `{folder}/server.conf`. */
  configuration?: string;
  /** Somebody else's server: what it is, with its version. */
  peer?: string;
  /** What it speaks in place of the hub's framings. */
  wire?: Wire;
  /** In which framings it can be measured, where not in all. */
  framings?: readonly Framing[];
}

/** A target, or why it cannot be had on this machine. */
export type Found = Target | { name: string; missing: string };

/** The target's command as one would type it in the project's folder. */
export function describeCommand({ command, settings = {} }: Target): string {
  const words = command.map((part) => (part === process.execPath ? "bun" : part));
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const here = `${relative("/", ROOT)}/`;
  return [...assignments, ...words].map((word) => word.replace(`/${here}`, "")).join(" ");
}
