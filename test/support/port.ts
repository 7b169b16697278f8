import { readFileSync } from "node:fs";

/** The ports from which Linux takes one when nobody names any; its default where /proc is missing. */
function ephemeralRange(): [low: number, high: number] {
  try {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    const [low = 32_768, high = 60_999] = text.trim().split(/\s+/).map(Number);
    return [low, high];
  } catch {
    return [32_768, 60_999];
  }
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/**
 * A free loopback port for a server that is away now and then and comes back at the same address. It is not one that the
 * kernel would give to somebody else meanwhile: not even to a client that connects to this very port while nobody
 * listens, which would connect it to itself.
 */
export function lastingPort(): number {
  const [low, high] = ephemeralRange();
  const [first, last] = low > 12_000 ? [low - 10_000, low - 1] : [high + 1, 65_535];
  for (let attempt = 0; attempt < 1000; attempt += 1) {
    const port = first + Math.floor(Math.random() * (last - first + 1));
    if (isFree(port)) return port;
  }
  throw new Error(`no free port from ${first} to ${last}`);
}
