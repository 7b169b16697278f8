import { expect, test } from "bun:test";
import { UNKNOWN_ADDRESS } from "../../src/auth/address.ts";
import { createPlaces, type Place } from "../../src/edge/places.ts";

/** Places for clients (PROTOCOL.md, section 1): how many there are, in all and for each network. */

function leave(place: Place): void {
  if (!place.ok) throw new Error(`no place: ${place.reason}`);
  place.leave();
}

test("so many are let in, in all, and one for each that leaves", () => {
  const places = createPlaces(2, 0);
  const first = places.take("192.0.2.1");
  expect(places.take("192.0.2.2").ok).toBe(true);
  expect(places.take("192.0.2.3")).toEqual({ ok: false, reason: "capacity" });
  leave(first);
  expect(places.take("192.0.2.3").ok).toBe(true);
  expect(places.take("192.0.2.4")).toEqual({ ok: false, reason: "capacity" });
});

test("leaving twice frees one place", () => {
  for (const places of [createPlaces(2, 0), createPlaces(0, 2)]) {
    const first = places.take("192.0.2.1");
    expect(places.take("192.0.2.1").ok).toBe(true);
    leave(first);
    leave(first);
    expect([places.take("192.0.2.1").ok, places.take("192.0.2.1").ok]).toEqual([true, false]);
  }
});

test("so many are let in from each network", () => {
  const places = createPlaces(0, 1);
  for (const address of ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1", "2001:db8:1:3::1"]) {
    expect(places.take(address).ok).toBe(true);
  }
  for (const address of ["192.0.2.1", "2001:db8:1:2:ffff::2"]) {
    expect(places.take(address)).toEqual({ ok: false, reason: "address_capacity" });
  }
});

test("whoever is refused takes no place", () => {
  const places = createPlaces(1, 1);
  const first = places.take("192.0.2.1");
  for (let count = 0; count < 10; count += 1) expect(places.take("192.0.2.1").ok).toBe(false);
  expect(places.size()).toBe(1);
  leave(first);
  expect(places.size()).toBe(0);
  expect(places.take("192.0.2.1").ok).toBe(true);
});

test("those without an address share no limit", () => {
  const places = createPlaces(3, 1);
  for (let count = 0; count < 3; count += 1) expect(places.take(UNKNOWN_ADDRESS).ok).toBe(true);
  expect(places.take(UNKNOWN_ADDRESS)).toEqual({ ok: false, reason: "capacity" });
});

test("0 is no limit", () => {
  const places = createPlaces(0, 0);
  for (let count = 0; count < 100_000; count += 1) expect(places.take("192.0.2.1").ok).toBe(true);
});

test("a million clients from different addresses leave no row behind, and never more than there are clients", () => {
  const limit = 1_000;
  const places = createPlaces(limit, 1);
  const connected: Place[] = [];
  for (let count = 0; count < 1_000_000; count += 1) {
    const address = `2001:db8:${(count >> 16).toString(16)}:${(count & 0xffff).toString(16)}::1`;
    if (connected.length === limit) leave(connected[count % limit] as Place);
    const place = places.take(address);
    if (!place.ok || places.size() > limit) throw new Error(`client ${count}: ${places.size()} rows`);
    connected[count % limit] = place;
  }
  expect(places.size()).toBe(limit);
  for (const place of connected) leave(place);
  expect(places.size()).toBe(0);
});
