import { describe, expect, test } from "bun:test";
import { startHub } from "../support/hub.ts";
import { joinClient, joinWorker, OFFLINE, online, register } from "../support/parties.ts";

// PROTOCOL.md section 1: the frames that the hub takes from a worker alone.

/** An object of exactly so many bytes as compact JSON. */
function metadataOfBytes(bytes: number): { note: string } {
  return { note: "x".repeat(bytes - '{"note":""}'.length) };
}

describe("REGISTER_WORKER", () => {
  test("sets the metadata, for everyone there and everyone to come, and is not forwarded", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    await using worker = await joinWorker(hub);
    const metadata = {
      hostname: "gpu-01",
      version: "1.4.2",
      os: "Linux",
      cuda: ["12.4"],
      ключ: { deep: null },
    };
    worker.send(register(metadata));
    await worker.untilPong();

    expect(await client.untilPong()).toEqual([online(), online(metadata)]);
    await using late = await joinClient(hub, online(metadata));
    late.send("get_worker_status");
    expect(await late.next()).toBe(online(metadata));
  });

  test("can be sent again: the last one counts", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    worker.send(register({ version: "1", only: "first" }));
    worker.send(register({ version: "2" }));
    await worker.untilPong();
    expect(await client.untilPong()).toEqual([
      online({ version: "1", only: "first" }),
      online({ version: "2" }),
    ]);
  });

  test("is forgotten with its worker: the next one starts unnamed", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const first = await joinWorker(hub);
    first.send(register({ hostname: "first" }));
    await first.untilPong();
    await first.close();
    for (const status of [online(), online({ hostname: "first" }), OFFLINE]) {
      expect(await client.next()).toBe(status);
    }
    await using _second = await joinWorker(hub);
    expect(await client.next()).toBe(online());
  });

  const noMetadata: Record<string, string> = {
    "no metadata": '{"type":"REGISTER_WORKER"}',
    null: register(null),
    "a list": register(["gpu-01"]),
    "a string": register("gpu-01"),
    "a number": register(5),
    "a boolean": register(true),
    "16 KiB and one byte": register(metadataOfBytes(16_385)),
    "16 KiB of characters that take three bytes each": register({ note: "鍵".repeat(6_000) }),
    "half a megabyte": register(metadataOfBytes(500_000)),
  };
  test.each(Object.keys(noMetadata))("counts as {} with a warning when it holds %s", async (name) => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    worker.send(register({ hostname: "named" }));
    await worker.untilPong();
    await using client = await joinClient(hub, online({ hostname: "named" }));
    worker.send(noMetadata[name] ?? "");
    await worker.untilPong();

    expect(await client.untilPong()).toEqual([online()]);
    await hub.waitForLog("the metadata is not taken", (line) => line.level === "warning");
  });

  test("takes metadata of exactly 16 KiB", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    const metadata = metadataOfBytes(16_384);
    worker.send(register(metadata));
    await worker.untilPong();
    await using _client = await joinClient(hub, online(metadata));
    expect(hub.logs().filter((line) => line.level === "warning")).toEqual([]);
  });

  test("is known however its JSON is written", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    worker.send(' { "metadata" : { "a" : 1.0 } , "\\u0074ype" : "REGISTER\\u005fWORKER" } ');
    worker.send(
      '{"metadata":1,"type":"other","type":"REGISTER_WORKER","metadata":{"id":9223372036854775807}}',
    );
    worker.send(
      '{"data":{"metadata":{"x":1}},"type":"REGISTER_WORKER","m\\u0065tadata":{"}":"]\\"{"},"z":[{}]}',
    );
    await worker.untilPong();
    // The metadata is forwarded as the worker wrote it, like a message.
    const metadata = ['{ "a" : 1.0 }', '{"id":9223372036854775807}', '{"}":"]\\"{"}'];
    expect(await client.untilPong()).toEqual(metadata.map(online));
  });
});

describe("WORKER_STATUS from a worker", () => {
  const forged = [
    '{"type":"WORKER_STATUS","status":"offline","metadata":null}',
    '{"status":"offline", "type" : "WORKER_STATUS"}',
    '{"\\u0074ype":"WORKER\\u005fSTATUS","status":"offline"}',
    '{"type":"DOC_UPDATE","type":"WORKER_STATUS","status":"offline"}',
  ];
  test.each(forged)("is refused with a warning: %s", async (text) => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    worker.send(text);
    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual([]);
    await hub.waitForLog("a reserved type", (line) => line.level === "warning");
    client.send("get_worker_status");
    expect(await client.next()).toBe(online());
  });

  test("is reserved as the top-level type only", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    const texts = [
      '{"type":"NOTE","data":{"type":"WORKER_STATUS"}}',
      '{"data":{"type":"REGISTER_WORKER","metadata":{}}}',
      '{"__proto__":{"type":"WORKER_STATUS"}}',
      '{"constructor":{"prototype":{"type":"WORKER_STATUS"}}}',
      '{"Type":"WORKER_STATUS"}',
      '{"type":"worker_status"}',
      '{"type":["WORKER_STATUS"]}',
    ];
    for (const text of texts) worker.send(text);
    await worker.untilPong();
    expect(await client.untilPong()).toEqual(texts);
  });
});

describe("a message from the worker", () => {
  test("goes to every client in order, and not back to the worker", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using one = await joinClient(hub, online());
    await using two = await joinClient(hub, online());
    const texts = Array.from(
      { length: 200 },
      (_, n) => `{"type":"DOC_PROGRESS","doc_id":"d","processed":${n},"total":200}`,
    );
    for (const text of texts) worker.send(text);

    expect(await worker.untilPong()).toEqual([]);
    expect(await one.untilPong()).toEqual(texts);
    expect(await two.untilPong()).toEqual(texts);
  });

  test("is lost on nobody when nobody is there", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    worker.send('{"type":"DOC_UPDATE","id":"early"}');
    await worker.untilPong();
    await using client = await joinClient(hub, online());
    worker.send('{"type":"DOC_UPDATE","id":"late"}');
    expect(await client.next()).toBe('{"type":"DOC_UPDATE","id":"late"}');
  });
});
