import { describe, expect, test } from "bun:test";
import { clientAddress, networkOf, normalAddress } from "../../../src/auth/address.ts";

describe("normalAddress", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.255", "192.0.2.255"],
    ["::ffff:0:0", "0.0.0.0"],
    ["::1", "::1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["fe80::1%eth0", "fe80::1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    // Not mapped, though it looks like it: the sixth group has to be ffff, and the five before it 0.
    ["::fffe:c000:201", "::fffe:c000:201"],
    ["1::ffff:c000:201", "1::ffff:c000:201"],
  ])("%s is %s", (written, normal) => {
    expect(normalAddress(written)).toBe(normal);
  });

  test.each([
    undefined,
    "",
    "unknown",
    "localhost",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "1:2:3",
    ":::1",
    "192.0.2.1\n",
    "%",
  ])("%p is no address", (written) => {
    expect(normalAddress(written)).toBe("unknown");
  });
});

describe("clientAddress", () => {
  const PEER = "10.0.0.9";

  test("believes nobody by default", () => {
    expect(clientAddress(PEER, "198.51.100.1", 0)).toBe(PEER);
    expect(clientAddress("::ffff:10.0.0.9", "198.51.100.1", 0)).toBe(PEER);
  });

  test("is the peer where the proxy says nothing", () => {
    expect(clientAddress(PEER, null, 1)).toBe(PEER);
    expect(clientAddress(PEER, "", 1)).toBe(PEER);
  });

  test("takes what the trusted proxy appended, and nothing that the client wrote before it", () => {
    expect(clientAddress(PEER, "198.51.100.1", 1)).toBe("198.51.100.1");
    expect(clientAddress(PEER, "203.0.113.66, 198.51.100.1", 1)).toBe("198.51.100.1");
    expect(clientAddress(PEER, "1.1.1.1, 2.2.2.2, 3.3.3.3,198.51.100.1", 1)).toBe("198.51.100.1");
  });

  test("counts trusted proxies from the hub outwards", () => {
    const header = "203.0.113.66, 198.51.100.1, 10.0.0.7";
    expect(clientAddress(PEER, header, 1)).toBe("10.0.0.7");
    expect(clientAddress(PEER, header, 2)).toBe("198.51.100.1");
    expect(clientAddress(PEER, header, 3)).toBe("203.0.113.66");
  });

  test("takes the farthest entry where there are fewer than proxies", () => {
    expect(clientAddress(PEER, "198.51.100.1, 10.0.0.7", 5)).toBe("198.51.100.1");
  });

  test("falls back to the next proxy where an entry is no address", () => {
    expect(clientAddress(PEER, "unknown", 1)).toBe(PEER);
    expect(clientAddress(PEER, "203.0.113.66, _hidden", 1)).toBe(PEER);
    expect(clientAddress(PEER, "203.0.113.66, unknown, 10.0.0.7", 2)).toBe("10.0.0.7");
    expect(clientAddress(PEER, "203.0.113.66,", 1)).toBe(PEER);
  });

  test.each([
    ["198.51.100.1:4711", "198.51.100.1"],
    ["[2001:DB8::1]:4711", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["::ffff:198.51.100.1", "198.51.100.1"],
    ["  198.51.100.1\t", "198.51.100.1"],
  ])("reads the entry %p", (entry, address) => {
    expect(clientAddress(PEER, `203.0.113.66, ${entry}`, 1)).toBe(address);
  });

  test.each(["198.51.100.1:4711:1", "[198.51.100.1", "]:80", "[]:80", "198.51.100.1 198.51.100.2", '"'])(
    "takes the peer for the entry %p",
    (entry) => {
      expect(clientAddress(PEER, entry, 1)).toBe(PEER);
    },
  );

  test("on a unix socket is unknown, unless a trusted proxy names the client", () => {
    expect(clientAddress(undefined, "198.51.100.1", 0)).toBe("unknown");
    expect(clientAddress(undefined, "198.51.100.1", 1)).toBe("198.51.100.1");
  });

  test("a header full of commas costs no more than its length", () => {
    expect(clientAddress(PEER, ",".repeat(16_000), 1)).toBe(PEER);
    expect(clientAddress(PEER, `${":".repeat(16_000)}1`, 1)).toBe(PEER);
  });
});

test.each([
  ["IPv4", "198.51.100.7"],
  ["IPv6", "2001:db8::7"],
])("an %s address that is kept does not keep the header that it was read from", (_, address) => {
  const kept: string[] = [];
  const headerChars = 16_000;
  const count = 20_000;
  Bun.gc(true);
  const beforeBytes = process.memoryUsage.rss();
  for (let i = 0; i < count; i++) {
    const header = Buffer.from(`${"x".repeat(headerChars)}, ${address}`).toString("latin1");
    kept.push(clientAddress(undefined, header, 1));
    if (i % 1000 === 0) Bun.gc(true);
  }
  Bun.gc(true);
  expect(kept).toHaveLength(count);
  expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan((headerChars * count) / 2);
});

describe("networkOf", () => {
  test("is the address itself for IPv4", () => {
    expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
    expect(networkOf("unknown")).toBe("unknown");
  });

  test.each([
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["::1", "0:0:0:0::/64"],
  ])("%s is in %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("tells neighbouring /64 apart", () => {
    expect(networkOf("2001:db8:1:2::1")).not.toBe(networkOf("2001:db8:1:3::1"));
  });
});
