import { describe, expect, test } from "bun:test";
import { BROADCASTS, bridgedHub, bridgedWorker, openSockets, untilApiSays } from "../../support/bridge.ts";
import { joinClient, joinWorker, OFFLINE, online } from "../../support/parties.ts";
import { startVectraApi } from "../../support/vectra-api.ts";

// PROTOCOL.md section 7: an unmodified Vectra API process stays in service behind the hub.

describe("what the API broadcasts", () => {
  test("reaches the dashboards byte for byte and in order while no worker is online", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using one = await joinClient(hub);
    await using two = await joinClient(hub);
    for (const text of BROADCASTS) api.broadcast(text);
    expect(await untilApiSays(api, one)).toEqual(BROADCASTS);
    for (const text of BROADCASTS) expect(await two.next()).toBe(text);
  });

  test("reaches them while one is, beside what the worker says, and not the worker", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using worker = await bridgedWorker(hub);
    await using dashboard = await joinClient(hub, online());
    worker.send('{"type":"DOC_UPDATE","id":"b7a1"}');
    expect(await dashboard.next()).toBe('{"type":"DOC_UPDATE","id":"b7a1"}');
    for (const text of BROADCASTS) api.broadcast(text);
    expect(await untilApiSays(api, dashboard)).toEqual(BROADCASTS);
    expect(await worker.untilPong()).toEqual([]);
  });

  test("is in the history, like any message", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using early = await joinClient(hub);
    for (const text of BROADCASTS.slice(0, 2)) api.broadcast(text);
    await untilApiSays(api, early);

    const stop = new AbortController();
    const response = await fetch(`${hub.url}/api/v1/events?since=earliest`, { signal: stop.signal });
    const decoder = new TextDecoder();
    let seen = "";
    for await (const chunk of response.body ?? []) {
      seen += decoder.decode(chunk, { stream: true });
      if (seen.includes("event: live")) break;
    }
    stop.abort();
    for (const text of BROADCASTS.slice(0, 2)) expect(seen).toContain(`data: ${text}\n`);
  });

  test("does not bring its own view of the worker, nor a registration", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using dashboard = await joinClient(hub);
    api.broadcast('{"type": "WORKER_STATUS", "status": "online", "metadata": {"forged": true}}');
    api.broadcast('{"status": "online", "\\u0074ype": "WORKER_STATUS"}');
    api.broadcast('{"type": "REGISTER_WORKER", "metadata": {"hostname": "forged"}}');
    expect(await untilApiSays(api, dashboard)).toEqual([]);
    dashboard.send("get_worker_status");
    expect(await dashboard.next()).toBe(OFFLINE);
  });

  test("may hold what is no message, which changes nothing", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api, { MAX_MESSAGE_BYTES: "2048" });
    await using dashboard = await joinClient(hub);
    for (const text of ["", "pong", "[]", "null", '{"type": ', '{"a": NaN}', "x".repeat(100_000)]) {
      api.broadcast(text);
    }
    api.broadcast(`{"type": "DOC_UPDATE", "note": "${"\u00e9".repeat(1_100)}"}`);
    expect(await untilApiSays(api, dashboard)).toEqual([]);
    expect(openSockets(api)).toEqual(["client"]);
    await hub.waitForLog("too large", ({ level, msg }) => level === "warning" && msg.includes("too large"));
  });
});

describe("a command from the API", () => {
  const trigger = '{"type": "TRIGGER_DOC_SYNC", "id": "3f0c1c2e-8a50-4b64-9d6e-0b1b7b0c8f11"}';

  test("reaches the worker as the bare object, and nobody else", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    await using worker = await bridgedWorker(hub);
    await using dashboard = await joinClient(hub, online());
    const other = '{"type": "TRIGGER_CONNECTOR_SYNC", "id": 9007199254740993}';
    expect(api.sendToWorker(trigger)).toBe(true);
    expect(api.sendToWorker(other)).toBe(true);
    expect(await worker.next()).toBe(trigger);
    expect(await worker.next()).toBe(other);
    expect(await untilApiSays(api, dashboard)).toEqual([]);
  });

  test("is dropped when the hub's worker has gone meanwhile: no later one gets it", async () => {
    await using api = startVectraApi();
    await using hub = await bridgedHub(api);
    const worker = await bridgedWorker(hub);
    await using dashboard = await joinClient(hub, online());
    // The new connection gets no answer, so the worker's one stays until that is noticed.
    api.hang();
    await worker.close();
    expect(await dashboard.next()).toBe(OFFLINE);
    expect(api.sendToWorker(trigger)).toBe(true);
    await hub.waitForLog("the command is dropped", ({ msg }) => msg.includes("was dropped"));

    await using next = await joinWorker(hub);
    expect(await next.untilPong()).toEqual([]);
  });
});
