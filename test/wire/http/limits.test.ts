import { describe, expect, test } from "bun:test";
import {
  type Answer,
  call,
  detailOf,
  expectProblem,
  JSON_BODY,
  NDJSON_BODY,
  publish,
  publishLines,
  receiptOf,
  sendCommand,
} from "../../support/api.ts";
import { openConnection } from "../../support/connection.ts";
import { encodeChunk, LAST_CHUNK } from "../../support/http-chunks.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, OFFLINE, online } from "../../support/parties.ts";

// 413 (PROTOCOL.md section 4): each size limit from both sides, however the size becomes known.

const LIMITS = { MAX_MESSAGE_BYTES: "65536", MAX_BATCH_BYTES: "131072" };
const COMMAND_LIMIT_BYTES = 1_048_576;

/** An object of exactly so many bytes, in letters of `unit`. */
function objectOf(byteCount: number, unit = "x"): string {
  const frame = '{"s":""}';
  const unitBytes = Buffer.byteLength(unit);
  const count = Math.floor((byteCount - frame.length) / unitBytes);
  const rest = byteCount - frame.length - count * unitBytes;
  return `{"s":"${unit.repeat(count)}${"x".repeat(rest)}"}`;
}

/** Sends a head and then pieces of a body, and reads the answer, which may come before all was sent. */
async function post(
  hub: Hub,
  path: string,
  headers: Readonly<Record<string, string>>,
  pieces: Iterable<string | Uint8Array> = [],
): Promise<Answer> {
  await using connection = await openConnection(hub);
  connection.send({ method: "POST", path, headers: Object.entries(headers) }, pieces);
  return await connection.answer();
}

/** A body in chunks that has no end. */
function* chunksOf(byteCount: number): Generator<Uint8Array> {
  const chunk = encodeChunk("x".repeat(16_384));
  for (let sent = 0; sent < byteCount; sent += 16_384) yield chunk;
}

const CHUNKED = { "transfer-encoding": "chunked" };

describe("a body", () => {
  const cases: [what: string, path: string, headers: Record<string, string>, limitBytes: number][] = [
    ["of one message", "/api/v1/publish", JSON_BODY, 65_536],
    ["of a batch", "/api/v1/publish", NDJSON_BODY, 131_072],
    ["of a command", "/api/v1/worker/messages", JSON_BODY, COMMAND_LIMIT_BYTES],
  ];
  describe.each(cases)("%s over its limit is 413", (_, path, headers, limitBytes) => {
    // A gigabyte and more is what a server may refuse by itself, before the route is asked.
    test.each([limitBytes + 1, 20_000_000, 4_000_000_000, 9_007_199_254_740_991])(
      "as soon as Content-Length says %d",
      async (byteCount) => {
        await using hub = await startHub({ env: LIMITS });
        const declared = { ...headers, "content-length": String(byteCount) };
        expectProblem(await post(hub, path, declared), 413, "too_large");
      },
    );

    test.each([limitBytes + 1, 20_000_000])(
      "after the first byte too many of %d in chunks",
      async (byteCount) => {
        await using hub = await startHub({ env: LIMITS });
        await using client = await joinClient(hub);
        const answer = await post(hub, path, { ...headers, ...CHUNKED }, chunksOf(byteCount));
        expectProblem(answer, 413, "too_large");
        expect(await client.untilPong()).toEqual([]);
      },
    );

    test("although it is nothing but white space", async () => {
      await using hub = await startHub({ env: LIMITS });
      const body = `{}${" ".repeat(limitBytes - 1)}`;
      expectProblem(await call(hub, path, { method: "POST", headers, body }), 413, "too_large");
    });
  });

  test("without the secret is 401, however large it says it is", async () => {
    await using hub = await startHub({ env: LIMITS });
    const headers = { "content-type": "application/json", "content-length": "4000000000" };
    expectProblem(await post(hub, "/api/v1/publish", headers), 401, "unauthorized");
  });
});

test("a message of exactly MAX_MESSAGE_BYTES is taken, and counted in bytes, not letters", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using client = await joinClient(hub);
  const largest = objectOf(65_536, "\u{1f511}");
  expect(receiptOf(await publish(hub, largest)).ids).toHaveLength(1);
  expectProblem(await publish(hub, `${largest} `), 413, "too_large");
  expect(receiptOf(await publishLines(hub, [largest])).ids).toHaveLength(1);
  expect(await client.untilPong()).toEqual([largest, largest]);
});

test("a body in chunks without Content-Length is taken up to the limit", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using client = await joinClient(hub);
  const largest = objectOf(65_536);
  const pieces = [...(largest.match(/.{1,10000}/g) ?? []).map(encodeChunk), LAST_CHUNK];
  const answer = await post(hub, "/api/v1/publish", { ...JSON_BODY, ...CHUNKED }, pieces);
  expect(receiptOf(answer).ids).toHaveLength(1);
  expect(await client.untilPong()).toEqual([largest]);
});

test("a line over MAX_MESSAGE_BYTES is 413, names the line, and nothing of the batch is published", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using client = await joinClient(hub);
  const answer = await publishLines(hub, ["{}", "", objectOf(65_537), "{}"]);
  expectProblem(answer, 413, "too_large");
  expect(detailOf(answer)).toMatch(/\bline 3\b/);
  expect(await client.untilPong()).toEqual([]);
});

test("a batch of exactly MAX_BATCH_BYTES is taken, one byte more is not", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using client = await joinClient(hub);
  const line = objectOf(32_767);
  expect(receiptOf(await publishLines(hub, [line, line, line, line])).ids).toHaveLength(4);
  expect(await client.untilPong()).toEqual([line, line, line, line]);
  expectProblem(await publishLines(hub, [line, line, line, `${line} `]), 413, "too_large");
  expect(await client.untilPong()).toEqual([]);
});

test("a batch of more than 10,000 messages is 413, and one of 10,000 is taken whole", async () => {
  await using hub = await startHub();
  await using client = await joinClient(hub);
  const lines = Array.from({ length: 10_001 }, (_, n) => `{"n":${n}}`);
  expectProblem(await publishLines(hub, lines), 413, "too_large");
  expect(await client.untilPong()).toEqual([]);
  const taken = lines.slice(1);
  const { ids } = receiptOf(await publishLines(hub, taken));
  expect(new Set(ids).size).toBe(10_000);
  for (const line of taken) expect(await client.next()).toBe(line);
});

test("a command of nearly 1 MiB reaches the worker", async () => {
  await using hub = await startHub();
  await using worker = await joinWorker(hub);
  const command = objectOf(COMMAND_LIMIT_BYTES - 1_024);
  expect((await sendCommand(hub, command)).status).toBe(202);
  expect((await worker.next()) === command).toBe(true);
});

test("after a refusal the same connection serves the next request", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using connection = await openConnection(hub);
  const headers = Object.entries({ ...JSON_BODY, ...CHUNKED });
  const body = [...chunksOf(200_000), LAST_CHUNK];
  connection.send({ method: "POST", path: "/api/v1/publish", headers }, body);
  connection.send({ path: "/healthz" });
  expectProblem(await connection.answer(), 413, "too_large");
  expect((await connection.answer()).status).toBe(200);
});

test("a refused body that never comes leaves no trace: what comes next is published as ever", async () => {
  await using hub = await startHub({ env: LIMITS });
  await using client = await joinClient(hub, OFFLINE);
  const declared = { ...JSON_BODY, "content-length": "70000" };
  for (let n = 0; n < 20; n++) await post(hub, "/api/v1/publish", declared, ["{"]);
  expect((await publish(hub, '{"n":1}')).status).toBe(202);
  expect(await client.next()).toBe('{"n":1}');
  await using _worker = await joinWorker(hub);
  expect(await client.next()).toBe(online());
});
