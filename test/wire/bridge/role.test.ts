import { describe, expect, test } from "bun:test";
import {
  BROADCASTS,
  bridgedHub,
  bridgedWorker,
  changedRole,
  openSockets,
  untilApiSays,
} from "../../support/bridge.ts";
import { SECRET } from "../../support/hub.ts";
import { joinClient, joinWorker, online, register } from "../../support/parties.ts";
import { startVectraApi, type VectraApi } from "../../support/vectra-api.ts";

// PROTOCOL.md section 7: an unmodified Vectra API process stays in service behind the hub.

describe("the API is told", () => {
  test("of no worker while the hub has none, of one while it has, and of its metadata as it was written", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    expect(openSockets(api)).toEqual(["client"]);
    expect(api.worker()).toBeUndefined();

    const worker = await joinWorker(hub);
    await api.until("a worker in the API's slot", () => api.worker() !== undefined);
    await changedRole(hub, 1);
    await api.until("one socket is left", () => openSockets(api).length === 1);
    expect(openSockets(api)).toEqual(["worker"]);
    const metadata = '{ "hostname" : "gpu-01", "memory": 9007199254740993 }';
    worker.send(`{"type":"REGISTER_WORKER","metadata":${metadata}}`);
    await api.until(
      "the metadata",
      () => api.worker()?.received.join().includes(`"metadata":${metadata}`) === true,
    );

    await worker.close();
    await api.until("no worker in the API's slot", () => api.worker() === undefined);
    await api.until("one socket is left", () => openSockets(api).length === 1);
    expect(openSockets(api)).toEqual(["client"]);
  });

  test("nothing else: not what the worker publishes, and not what it has itself said", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using worker = await bridgedWorker(hub);
    await using dashboard = await joinClient(hub, online());
    worker.send(register({ hostname: "gpu-01" }));
    worker.send('{"type":"DOC_UPDATE","id":"b7a1"}');
    await api.until("the metadata", () => api.worker()?.received.join().includes("gpu-01") === true);
    for (const text of BROADCASTS) api.broadcast(text);
    expect(await untilApiSays(api, dashboard)).toEqual([
      online({ hostname: "gpu-01" }),
      '{"type":"DOC_UPDATE","id":"b7a1"}',
      ...BROADCASTS,
    ]);
    const said = api.sockets.flatMap(({ received }) => received).filter((text) => text !== "ping");
    for (const text of said) expect(JSON.parse(text)).toMatchObject({ type: "REGISTER_WORKER" });
    // One to enter, one for the metadata. Their echoes came back to the hub.
    expect(said.length).toBe(2);
  });

  test("the secret in a header, as a worker only, and at the path and query it is to be found at", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api, {
      BRIDGE_URL: `${api.wsUrl}?tenant=a%20b&client_type=other#top`,
    });
    await using _worker = await bridgedWorker(hub);
    const [client, worker] = api.sockets;
    const query = (target = ""): object => Object.fromEntries(new URL(target, api.wsUrl).searchParams);
    expect(client?.target).toStartWith("/api/v1/ws?");
    expect(query(client?.target)).toEqual({ tenant: "a b", client_type: "client" });
    expect(query(worker?.target)).toEqual({ tenant: "a b", client_type: "worker" });
    expect(client?.headers.get("x-worker-secret")).toBeNull();
    expect(worker?.headers.get("x-worker-secret")).toBe(SECRET);
    expect(hub.output()).not.toContain(SECRET);
    expect(hub.output()).not.toContain("tenant");
  });

  test("that the hub goes, when it stops", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using worker = await bridgedWorker(hub);
    expect(await hub.stop()).toBe(0);
    await worker.closed;
    await api.until("the end of every socket", () => openSockets(api).length === 0);
    expect(api.sockets.at(-1)?.ended?.code).toBe(1001);
    expect(api.sockets.length).toBe(2);
  });
});

describe("a change of the role", () => {
  test("neither loses nor doubles a broadcast, nor changes the order", async () => {
    let count = 0;
    const burst = (): void => {
      // Some are equal to their neighbours, as real ones are.
      for (let n = 0; n < 20; n += 1)
        api.broadcast(`{"type": "DASHBOARD_STATS", "n": ${Math.floor(count++ / 3)}}`);
    };
    let isOn = false;
    await using api: VectraApi = startVectraApi({ onEvent: () => isOn && burst() });
    await using hub = await bridgedHub(api);
    await using dashboard = await joinClient(hub);
    isOn = true;
    const flood = setInterval(burst, 1);
    try {
      for (let round = 0; round < 2; round += 1) {
        const worker = await joinWorker(hub);
        await changedRole(hub, 2 * round + 1);
        await worker.close();
        await changedRole(hub, 2 * round + 2);
      }
    } finally {
      clearInterval(flood);
      isOn = false;
    }
    const seen = (await untilApiSays(api, dashboard)).filter((text) => text.includes("DASHBOARD_STATS"));
    const sent = Array.from(
      { length: count },
      (_, n) => `{"type": "DASHBOARD_STATS", "n": ${Math.floor(n / 3)}}`,
    );
    expect(seen.length).toBe(sent.length);
    expect(seen).toEqual(sent);
    expect(hub.logs().filter(({ level }) => level === "warning")).toEqual([]);
  });

  test("is not refused by an API that keeps the registration to itself", async () => {
    await using api = startVectraApi({ isWithoutEcho: true });
    await using hub = await bridgedHub(api);
    await using dashboard = await joinClient(hub);
    await using _worker = await bridgedWorker(hub);
    await api.until("one socket is left", () => openSockets(api).length === 1);
    expect(openSockets(api)).toEqual(["worker"]);
    expect(await untilApiSays(api, dashboard)).toEqual([online()]);
  });

  test("does not happen for a worker that replaces another one", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    const first = await bridgedWorker(hub);
    await using second = await joinWorker(hub);
    await first.closed;
    second.send(register({ hostname: "second" }));
    await api.until("its metadata", () => api.worker()?.received.join().includes("second") === true);
    expect(api.sockets.map(({ role }) => role)).toEqual(["client", "worker"]);
  });
});
