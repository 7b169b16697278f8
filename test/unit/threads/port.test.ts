import { describe, expect, test } from "bun:test";
import type { Located, Page, WorkerState } from "../../../src/backplane/backplane.ts";
import { createEdges, publishOn } from "../../support/edges.ts";

// To an edge the core is a backplane like any other (DESIGN.md): one order, one cursor space, whatever edge asks.

const numbered = (count: number, from = 1): string[] =>
  Array.from({ length: count }, (_, at) => `{"n":${from + at}}`);

describe("the stream", () => {
  test("is the same on every edge, and a receipt has its cursors", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    const results = [
      publishOn(one, ['{"n":1}']),
      publishOn(two, ['{"n":2}', '{"n":3}']),
      publishOn(one, ['{"n":4}']),
    ];
    await edges.settle();
    expect(one.entries.map(({ text }) => text).toSorted()).toEqual(numbered(4));
    expect(two.entries).toEqual(one.entries);
    const ids = results.flatMap(({ result }) => (result?.ok ? result.ids : []));
    expect(ids.toSorted()).toEqual(one.entries.map(({ cursor }) => cursor).toSorted());
    expect(one.backplane.head()).toBe(4);
    expect(one.backplane.cursorAt(4)).toBe(edges.backplane.cursorAt(4));
  });

  test("starts on a new edge where it is, with the worker's status", async () => {
    const edges = createEdges();
    const one = edges.add();
    one.backplane.register({ token: "w", connId: "c", connectedAtMs: 1, lastSeenAtMs: () => 1 });
    publishOn(one, numbered(3));
    await edges.settle();
    const late = edges.add();
    expect(late.backplane.head()).toBe(edges.backplane.head());
    expect(late.backplane.cursorAt(late.backplane.head())).toBe(
      edges.backplane.cursorAt(edges.backplane.head()),
    );
    expect(late.backplane.status()).toEqual({ status: "online", metadata: "{}" });
    publishOn(late, ['{"n":4}']);
    await edges.settle();
    expect(late.entries.map(({ text }) => text)).toEqual(['{"n":4}']);
  });

  test("a repeat under a key gets the first answer, on whichever edge", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    const first = publishOn(one, ["{}"], { key: "k" });
    await edges.settle();
    const again = publishOn(two, ["{}"], { key: "k" });
    const other = publishOn(two, ['{"other":1}'], { key: "k" });
    await edges.settle();
    expect(again.result).toEqual(first.result as never);
    expect(other.result).toMatchObject({ ok: false, code: "key_mismatch" });
    expect(two.entries).toHaveLength(1);
  });
});

describe("the newest entries", () => {
  test("are read without a way to the core, older ones from there", async () => {
    const edges = createEdges({ HISTORY_MESSAGES: "10000" });
    const edge = edges.add();
    publishOn(edge, numbered(5_000));
    await edges.settle();
    const near = edge.backplane.read(4_990, 5_000, 100, 1_000_000);
    expect(near).not.toBeInstanceOf(Promise);
    expect((near as Extract<Page, { evicted: false }>).entries.map(({ offset }) => offset)).toEqual([
      4_991, 4_992, 4_993, 4_994, 4_995, 4_996, 4_997, 4_998, 4_999, 5_000,
    ]);
    const far = edge.backplane.read(10, 5_000, 3, 1_000_000) as Promise<Page>;
    expect(far).toBeInstanceOf(Promise);
    await edges.settle();
    expect(await far).toEqual(edges.backplane.read(10, 5_000, 3, 1_000_000) as Page);
  });

  test("what the core has let go is evicted", async () => {
    const edges = createEdges({ HISTORY_MESSAGES: "10" });
    const edge = edges.add();
    publishOn(edge, numbered(50));
    await edges.settle();
    const page = edge.backplane.read(5, 50, 10, 1_000) as Promise<Page>;
    await edges.settle();
    expect(await page).toEqual({ evicted: true });
  });

  test("a position that the core has found can be named at once", async () => {
    const edges = createEdges({ HISTORY_MESSAGES: "10000" });
    const edge = edges.add();
    publishOn(edge, numbered(5_000));
    await edges.settle();
    const located = edge.backplane.locate("earliest") as Promise<Located>;
    await edges.settle();
    expect(await located).toEqual({ ok: true, offset: 0 });
    expect(edge.backplane.cursorAt(0)).toBe(edges.backplane.cursorAt(0));
    const unknown = edge.backplane.locate("ffffffff-7") as Promise<Located>;
    await edges.settle();
    expect(await unknown).toEqual({ ok: false, reason: "unknown" });
  });
});

describe("a barrier", () => {
  test("lies behind everything that anybody had been promised", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    const published = publishOn(one, numbered(3));
    two.isHeld = true;
    await edges.settle();
    expect(published.result?.ok).toBe(true);
    let seen: number | undefined;
    two.backplane.barrier(() => {
      seen = two.entries.length;
    });
    await edges.settle();
    expect(seen).toBeUndefined();
    two.isHeld = false;
    await edges.settle();
    expect(seen).toBe(3);
  });

  test("is shared by those who ask while one is under way", async () => {
    const edges = createEdges();
    const edge = edges.add();
    const order: number[] = [];
    for (let asker = 0; asker < 100; asker += 1) edge.backplane.barrier(() => void order.push(asker));
    let asked = 0;
    const { barrier } = edges.backplane;
    edges.backplane.barrier = (done) => {
      asked += 1;
      barrier(done);
    };
    await edges.settle();
    expect(order).toEqual(Array.from({ length: 100 }, (_, at) => at));
    expect(asked).toBe(2);
  });

  test("comes after the results of what was published before it", async () => {
    const edges = createEdges();
    const edge = edges.add();
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    edge.backplane.append({
      messages: [{ text: "{}", type: undefined, conflationKey: undefined }],
      source: "worker",
      worker: undefined,
      key: undefined,
      done: () => resolve(),
    });
    void promise.then(() => order.push("acknowledged"));
    edge.backplane.barrier(() => void order.push("barrier"));
    await edges.settle();
    expect(order).toEqual(["acknowledged", "barrier"]);
  });
});

describe("workers", () => {
  const worker = (token: string, lastSeenAtMs = () => 1) => ({
    token,
    connId: `conn ${token}`,
    connectedAtMs: 1,
    lastSeenAtMs,
  });

  test("replace one another from edge to edge, and nothing of the old one enters after that", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    one.backplane.register(worker("old"));
    await edges.settle();
    one.isHeld = true;
    two.backplane.register(worker("new"));
    await edges.settle();
    const late = publishOn(one, ["{}"], { worker: "old" });
    one.isHeld = false;
    await edges.settle();
    expect(late.result).toMatchObject({ ok: false, code: "superseded" });
    expect(one.told).toEqual([
      "online {}",
      "old registered: online {}",
      "old superseded: replaced",
      "online {}",
    ]);
    expect(two.told).toEqual(["online {}", "online {}", "new registered: online {}"]);
  });

  test("of an edge that has gone are offline, for all", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    one.backplane.register(worker("w"));
    await edges.settle();
    one.seat.isGone = true;
    edges.seats.delete(one.seat);
    edges.broker.forget(one.seat);
    await edges.settle();
    expect(two.backplane.status()).toEqual({ status: "offline", metadata: "null" });
    expect(two.entries.at(-1)?.text).toContain('"offline"');
  });

  test("were last seen when their edge says so, whoever asks", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    let seenAtMs = 100;
    one.backplane.register(worker("w", () => seenAtMs));
    await edges.settle();
    seenAtMs = 200;
    const state = two.backplane.worker() as Promise<WorkerState>;
    await edges.settle();
    expect((await state).worker).toMatchObject({ connId: "conn w", connectedAtMs: 1, lastSeenAtMs: 200 });

    one.isHeld = true;
    seenAtMs = 300;
    const without = two.backplane.worker() as Promise<WorkerState>;
    await edges.settle();
    edges.runtime.advance(1_000);
    await edges.settle();
    expect((await without).worker?.lastSeenAtMs).toBe(200);
    one.port.tick();
    await edges.settle();
    expect(((await edges.backplane.worker()) as WorkerState).worker?.lastSeenAtMs).toBe(300);
  });

  test("get commands from any edge, in order, and acknowledge them", async () => {
    const edges = createEdges();
    const [one, two] = [edges.add(), edges.add()];
    one.backplane.register(worker("w"));
    one.backplane.ready("w");
    const results: unknown[] = [];
    for (const text of numbered(3)) {
      two.backplane.sendCommand({ text, ifOffline: "queue", key: undefined, done: (r) => results.push(r) });
    }
    await edges.settle();
    expect(results).toEqual(
      [1, 2, 3].map(() => ({ ok: true, id: expect.stringMatching(/^\w+$/), status: "sent" })),
    );
    const ids = one.commands.map((command) => command.split(" ")[1] as string);
    expect(one.commands).toEqual(ids.map((id, at) => `w ${id} 1 {"n":${at + 1}}`));
    one.backplane.acknowledge(ids);
    await edges.settle();
    const record = two.backplane.command(ids[2] as string) as Promise<unknown>;
    await edges.settle();
    expect(await record).toMatchObject({ state: "acknowledged", attempts: 1 });
  });

  test("that take nothing are not sent more than a bound, and go on where they stopped", async () => {
    const edges = createEdges();
    const edge = edges.add();
    edge.canTake = false;
    edge.backplane.register(worker("w"));
    edge.backplane.ready("w");
    for (const text of numbered(200)) {
      edge.backplane.sendCommand({ text, ifOffline: "queue", key: undefined, done: () => undefined });
    }
    await edges.settle();
    expect(edge.commands).toHaveLength(64);
    edge.canTake = true;
    edge.backplane.canTake("w");
    await edges.settle();
    expect(edge.commands.map((command) => command.split(" ")[3])).toEqual(numbered(200));
  });
});
