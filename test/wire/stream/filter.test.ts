import { describe, expect, test } from "bun:test";
import { rawRequest } from "../../support/http.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { joinRawWorker, OFFLINE, online } from "../../support/parties.ts";
import { publish } from "../../support/publish.ts";
import { handshake } from "../../support/rawsocket.ts";
import { joinLive, joinStream } from "../../support/streamclient.ts";
import { openClient } from "../../support/wsclient.ts";

// PROTOCOL.md section 2, on both framings.

const MIXED = [
  '{"type":"DOC_UPDATE","n":0}',
  '{"type":"DOC_PROGRESS","n":1}',
  '{"type":"DOC_UPDATE_2","n":2}',
  '{"n":3}',
  '{"type":7,"n":4}',
  '{"type":null,"n":5}',
  '{"type":"","n":6}',
  '{"data":{"type":"DOC_UPDATE"},"n":7}',
  '{"type":"doc_update","n":8}',
  '{"type":"DOC_PROGRESS","type":"DOC_UPDATE","n":9}',
  '{"type":"DOC_UPDATE","type":"DOC_PROGRESS","n":10}',
  '{"\\u0074ype":"DOC\\u005fUPDATE","n":11}',
  '{"type":"a.b:c-D_9","n":12}',
  '{"type":"raw","n":13}',
  '{"type":"stream","n":14}',
  '{"type":"positions","n":15}',
  '{"type":"has space","n":16}',
  '{"type":"DOC_UPDATE,DOC_PROGRESS","n":17}',
];

/** With duplicate members the last one counts, as in every JSON parser that the two parties use. */
const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  DOC_UPDATE: [0, 9, 11],
  "DOC_UPDATE,DOC_PROGRESS": [0, 1, 9, 10, 11],
  "DOC_PROGRESS,DOC_PROGRESS": [1, 10],
  "a.b:c-D_9": [12],
  "raw,stream,positions": [13, 14, 15],
  WORKER_STATUS: [],
  NOBODY_SENDS_THIS: [],
};

const expectedOf = (types: string): string[] => (EXPECTED[types] ?? []).map((n) => MIXED[n] ?? "");

/** Publishes the mixture between a worker's coming and going. */
async function publishMixed(hub: Hub): Promise<void> {
  await using worker = await joinRawWorker(hub);
  await publish(hub, MIXED);
  await worker.untilPong();
}

describe.each(Object.keys(EXPECTED))("types=%s", (types) => {
  test("filters live, WORKER_STATUS always comes, and both framings get the same", async () => {
    await using hub = await startHub();
    await using stream = await joinLive(hub, { types });
    await using raw = await openClient(hub.wsUrl(new URLSearchParams({ types }).toString()));
    await using all = await joinLive(hub);
    expect(await raw.next()).toBe(OFFLINE);
    await publishMixed(hub);

    const expected = [online(), ...expectedOf(types), OFFLINE];
    expect(await stream.texts(expected.length)).toEqual(expected);
    for (const text of expected) expect(await raw.next()).toBe(text);
    expect(await all.texts(MIXED.length + 2)).toEqual([online(), ...MIXED, OFFLINE]);
    expect(await stream.untilPong()).toEqual([]);
    expect(await raw.untilPong()).toEqual([]);
  });

  test("filters what is replayed alike, and resumes without a hole from what it let through", async () => {
    await using hub = await startHub();
    await using witness = await joinLive(hub);
    await publishMixed(hub);
    await witness.messages(MIXED.length + 2);

    await using client = await joinStream(hub, { types, since: witness.hello.cursor });
    const { messages, live } = await client.untilLive();
    expect(messages.map(({ data }) => data)).toEqual([online(), ...expectedOf(types), OFFLINE]);
    // The seam is at the head, although the filter let nothing near it through.
    expect(live.id).toBe(witness.cursor());
    await publish(hub, MIXED);
    const expected = expectedOf(types);
    expect(await client.texts(expected.length)).toEqual(expected);
    for (const { id } of messages) {
      await using again = await joinStream(hub, { types, since: id });
      const rest = (await again.untilLive()).messages.map(({ data }) => data);
      const before = messages.findIndex((message) => message.id === id) + 1;
      expect(rest).toEqual([...messages.slice(before).map(({ data }) => data), ...expected]);
    }
  });
});

test("32 names of 64 characters are taken, and each of them passes", async () => {
  await using hub = await startHub();
  const names = Array.from({ length: 32 }, (_, n) => String(n).padStart(64, "T"));
  await using client = await joinLive(hub, { types: names.join(",") });
  const texts = names.map((type) => JSON.stringify({ type }));
  await publish(hub, ["{}", ...texts, '{"type":"T"}']);
  expect(await client.texts(32)).toEqual(texts);
  expect(await client.untilPong()).toEqual([]);
});

describe("a malformed list", () => {
  const malformed = {
    empty: "",
    "a comma": ",",
    "an empty name": "DOC_UPDATE,",
    "a name with a space": "DOC UPDATE",
    "a space after the comma": "DOC_UPDATE, DOC_PROGRESS",
    "33 names": Array.from({ length: 33 }, (_, n) => `T${n}`).join(","),
    "a name of 65 characters": "T".repeat(65),
    "a letter beyond ASCII": "DOC_ÜPDATE",
    "a star": "*",
    "a slash": "stream/DOC_UPDATE",
  };

  test.each(Object.entries(malformed))("(%s) is refused with 400 before the upgrade", async (_, types) => {
    await using hub = await startHub();
    for (const more of ["", "&client_type=worker"]) {
      const query = `${new URLSearchParams({ types })}${more}`;
      const headers = { "x-worker-secret": SECRET, "sec-websocket-protocol": "vectra.stream.v1" };
      const answer = await rawRequest(hub.url, handshake(hub.wsUrl(query), headers));
      expect(answer.status).toBe(400);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      const problem = JSON.parse(answer.body);
      expect(problem).toMatchObject({ status: 400, title: expect.any(String), type: expect.any(String) });
      expect(problem.detail).toContain("types");
    }
    await using _client = await joinLive(hub);
  });
});
