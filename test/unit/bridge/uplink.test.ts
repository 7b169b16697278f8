import { describe, expect, test } from "bun:test";
import type { Link, LinkEvents, Role } from "../../../src/bridge/link.ts";
import { createUplink } from "../../../src/bridge/uplink.ts";
import type { WorkerStatus } from "../../../src/protocol/status.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";
import { createRandom } from "../../support/random.ts";

// PROTOCOL.md section 7, with an API whose every packet arrives when the test says so.

/** A connection: two lines in which packets are under way, and what both ends know. */
interface Wire {
  readonly role: Role;
  readonly events: LinkEvents;
  /** To the API; `connect` and `close` stand for the handshake and the closing frame. */
  readonly up: string[];
  /** To the bridge. */
  readonly down: string[];
  isActive: boolean;
  isJoined: boolean;
  isClosed: boolean;
}

function createWorld(seed: number) {
  const random = createRandom(seed);
  const runtime = createFakeRuntime(seed);
  const wires: Wire[] = [];
  const published: number[] = [];
  let status: WorkerStatus = { status: "offline", metadata: "null" };
  let broadcastCount = 0;

  const open = (role: Role, events: LinkEvents): Link => {
    const wire: Wire = {
      role,
      events,
      up: ["connect", "ping"],
      down: [],
      isActive: false,
      isJoined: false,
      isClosed: false,
    };
    wires.push(wire);
    return {
      role,
      isJoined: () => wire.isJoined && !wire.isClosed,
      send: (text) => void wire.up.push(text),
      close() {
        wire.isClosed = true;
        wire.up.push("close");
      },
    };
  };
  const toAll = (text: string): void => {
    for (const wire of wires) if (wire.isActive) wire.down.push(text);
  };
  const atApi = (wire: Wire): void => {
    const packet = wire.up.shift();
    if (packet === "connect") {
      wire.isActive = true;
      toAll('{"type": "WORKER_STATUS"}');
    } else if (packet === "close") {
      wire.isActive = false;
      toAll('{"type": "WORKER_STATUS"}');
    } else if (packet === "ping") wire.down.push("pong");
    else if (packet !== undefined) toAll(packet);
  };
  const atBridge = (wire: Wire): void => {
    const packet = wire.down.shift();
    if (packet === undefined || wire.isClosed) return;
    if (packet !== "pong") {
      wire.events.text(packet);
    } else if (!wire.isJoined) {
      wire.isJoined = true;
      wire.events.joined();
    }
  };
  const uplink = createUplink({
    runtime,
    log: {},
    open,
    status: () => status,
    publish: ({ value }) => void published.push(Number(value["n"])),
    trigger: () => undefined,
  });
  const openWires = (): Wire[] => wires.filter(({ isClosed }) => !isClosed);

  return {
    random,
    runtime,
    uplink,
    wires,
    published,
    broadcastCount: () => broadcastCount,
    broadcast(): void {
      // Nobody is promised what was said before he came.
      if (!wires.some(({ isActive }) => isActive)) return;
      broadcastCount += 1;
      toAll(`{"type": "DOC_UPDATE", "n": ${broadcastCount}}`);
    },
    /** Moves one packet, on a random connection in a random direction. */
    movePacket(): void {
      const busy = wires.flatMap((wire) => [
        ...(wire.up.length > 0 ? [() => atApi(wire)] : []),
        ...(wire.down.length > 0 ? [() => atBridge(wire)] : []),
      ]);
      busy[random.below(Math.max(1, busy.length))]?.();
    },
    moveAll(): void {
      for (let busy = true; busy; ) {
        busy = false;
        for (const wire of wires) {
          busy ||= wire.up.length + wire.down.length > 0;
          atApi(wire);
          atBridge(wire);
        }
      }
    },
    setWorker(isOnline: boolean): void {
      const metadata = `{"n":${random.below(3)}}`;
      status = isOnline ? { status: "online", metadata } : { status: "offline", metadata: "null" };
      uplink.statusChanged();
    },
    /** A connection ends without notice, and with it what is under way on it. */
    breakOne(): void {
      const wire = openWires()[random.below(2)];
      if (wire === undefined) return;
      wire.isClosed = true;
      wire.isActive = false;
      wire.up.length = 0;
      wire.down.length = 0;
      wire.events.ended("broken");
    },
    isChangingRole: () => openWires().length > 1,
    openRoles: () => openWires().map(({ role }) => role),
  };
}

type World = ReturnType<typeof createWorld>;

/** When a connection may end without notice. */
type Breaks = "never" | "outside a change of the role" | "at any moment";

/** Some time in which anything happens at any moment. */
function storm(world: World, breaks: Breaks): void {
  const { random } = world;
  const mayBreak = (): boolean =>
    breaks === "at any moment" || (breaks !== "never" && !world.isChangingRole());
  const act = (choice: number): void => {
    if (choice < 6) world.movePacket();
    else if (choice < 9) world.broadcast();
    else if (choice < 11) world.runtime.advance(random.below(15));
    else if (choice === 11) world.setWorker(random.below(2) === 0);
    else if (random.below(4) === 0 && mayBreak()) world.breakOne();
  };
  for (let step = 0; step < 120; step += 1) act(random.below(13));
}

function settle(world: World): void {
  // Longer than any delay, with the packets moved before the bridge loses its patience.
  for (let second = 0; second < 25; second += 1) {
    world.moveAll();
    world.runtime.advance(1_000);
  }
  world.moveAll();
}

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

describe("over random interleavings", () => {
  test("changes of the role lose nothing, double nothing and keep the order", () => {
    let changes = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const world = createWorld(seed);
      for (let round = 0; round < 6; round += 1) {
        storm(world, "never");
        settle(world);
      }
      expect({ seed, published: world.published }).toEqual({
        seed,
        published: numbersTo(world.broadcastCount()),
      });
      changes += world.wires.length - 1;
    }
    // Or nothing would have been tested.
    expect(changes).toBeGreaterThan(300);
  });

  test("a connection that breaks loses what was under way, but doubles nothing and keeps the order", () => {
    let breaks = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const world = createWorld(seed);
      for (let round = 0; round < 6; round += 1) {
        storm(world, "outside a change of the role");
        settle(world);
      }
      const increasing = [...new Set(world.published)].sort((a, b) => a - b);
      expect({ seed, published: world.published }).toEqual({ seed, published: increasing });
      breaks += world.broadcastCount() - world.published.length > 0 ? 1 : 0;
    }
    expect(breaks).toBeGreaterThan(100);
  });

  test("whatever breaks, it ends connected in the role that is wanted, and listening", () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const world = createWorld(seed);
      for (let round = 0; round < 6; round += 1) storm(world, "at any moment");
      const isOnline = seed % 2 === 0;
      world.setWorker(isOnline);
      settle(world);
      const role = isOnline ? "worker" : "client";
      expect({ seed, roles: world.openRoles() }).toEqual({ seed, roles: [role] });
      expect(world.uplink.state()).toEqual({ ok: true, detail: `connected as ${role}` });

      const first = world.broadcastCount() + 1;
      for (let n = 0; n < 3; n += 1) world.broadcast();
      world.moveAll();
      expect(world.published.slice(-3)).toEqual([first, first + 1, first + 2]);
      world.uplink.stop();
      expect(world.runtime.timerCount()).toBe(0);
    }
  });
});

describe("a worker that comes and goes", () => {
  test("makes fewer and fewer changes of the role", () => {
    const world = createWorld(1);
    world.moveAll();
    const flap = (seconds: number): number => {
      const before = world.wires.length;
      for (let step = 0; step < seconds * 20; step += 1) {
        world.setWorker(step % 20 < 10);
        world.moveAll();
        world.runtime.advance(50);
      }
      return world.wires.length - before;
    };
    flap(60);
    // 120 changes of the status.
    expect(flap(60)).toBeLessThan(30);
  });
});
