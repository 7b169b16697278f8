import { isIP, isIPv4, isIPv6 } from "node:net";

/** Stands in where the peer has no address: behind a unix socket, without a trusted proxy that names the client. */
export const UNKNOWN_ADDRESS = "unknown";

/**
 * One spelling for each address, so that it can be a key: IPv6 in the short form of RFC 5952 and without a zone, and an
 * IPv4 peer of a dual-stack socket, `::ffff:192.0.2.1`, as `192.0.2.1`.
 * @returns UNKNOWN_ADDRESS for undefined and for what is no address
 */
export function normalAddress(address: string | undefined): string {
  return readAddress(address ?? "") ?? UNKNOWN_ADDRESS;
}

/**
 * Whose connection it is. Each proxy appends the address of its own peer to `X-Forwarded-For`, so the entries that
 * trusted proxies wrote are the last ones; what stands before them came from the client, who may write what he likes.
 * @param peer the other end of the TCP connection; undefined on a unix socket
 * @param forwardedFor the header; several are joined with commas, as Bun hands them over
 * @param trustedProxies how many proxies stand in front of the hub; 0 = the header is ignored
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | null,
  trustedProxies: number,
): string {
  if (trustedProxies > 0 && forwardedFor !== null) {
    // With fewer entries than proxies the farthest is taken, and where it is no address the next proxy is taken instead.
    for (const entry of forwardedFor.split(",").slice(-trustedProxies)) {
      const address = readAddress(withoutPort(entry.trim()));
      if (address !== undefined) return address;
    }
  }
  return normalAddress(peer);
}

/**
 * What limits per address count by: the address for IPv4; for IPv6 its /64, because one host has all of that to itself.
 * @param address as `normalAddress` or `clientAddress` gives it
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const hex = groupsOf(address)
    .slice(0, 4)
    .map((group) => group.toString(16));
  return `${hex.join(":")}::/64`;
}

function readAddress(text: string): string | undefined {
  // Built anew from its numbers: a slice of a header keeps all of that header in memory, and an address is kept long.
  if (isIPv4(text)) return text.split(".").map(Number).join(".");
  const [bare = ""] = text.split("%", 1);
  if (!isIPv6(bare)) return undefined;
  const groups = groupsOf(bare);
  const isMapped = groups.slice(0, 6).join() === "0,0,0,0,0,65535";
  if (isMapped) return groups.slice(6).flatMap(bytesOf).join(".");
  return new URL(`http://[${bare}]`).hostname.slice(1, -1);
}

/** Some proxies write the port as well: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(entry: string): string {
  if (isIP(entry) !== 0) return entry;
  return entry.match(/^\[([^\]]*)\](?::\d+)?$/)?.[1] ?? entry.replace(/:\d+$/, "");
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = "", tail = ""] = address.split("::");
  const before = readGroups(head);
  const after = readGroups(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function readGroups(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function bytesOf(group: number): number[] {
  return [group >> 8, group & 0xff];
}
