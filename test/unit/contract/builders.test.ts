import { describe, expect, test } from "bun:test";
import { asyncapiDocument } from "../../../src/protocol/contract/asyncapi.ts";
import { PARTIES } from "../../../src/protocol/contract/parties.ts";
import type { FrameName } from "../../../src/protocol/contract/schemas.ts";
import {
  ackJson,
  commandJson,
  errorJson,
  goodbyeJson,
  helloJson,
  liveJson,
  messageJson,
  positionJson,
  readWorkerEnvelope,
  workerJsonFrame,
} from "../../../src/protocol/envelope.ts";
import { sseEvent, sseMessage } from "../../../src/protocol/sse.ts";
import { OFFLINE, statusMessage, type WorkerStatus } from "../../../src/protocol/status.ts";
import { checkEvent, checkFrame, DEFAULTS } from "../../support/contract.ts";
import { createEventParser } from "../../support/event-stream.ts";
import { at, type Json } from "../../support/json-document.ts";

// The hub's frames are put together as text, around texts that it forwards. What comes out is what the contract says.

const ONLINE: WorkerStatus = { status: "online", metadata: '{"hostname": "gpu-01", "n": 1.0}' };
const CURSOR = "1f0c9a7e-41";
const MESSAGE = '{"type": "DOC_UPDATE", "n": 12345678901234567890, "list": [1.0, null]}';

function hello(resumed: true | "none" | "evicted" | "unknown", worker: WorkerStatus): string {
  return helloJson({ connId: "0011aaff", cursor: CURSOR, resumed, heartbeatMs: 25_000, worker });
}

/** What the hub builds, by the frame that it is. What it has no function for it forwards as it came. */
const BUILT: Readonly<Partial<Record<FrameName, readonly string[]>>> = {
  Hello: [hello(true, ONLINE), hello("none", OFFLINE), hello("evicted", ONLINE), hello("unknown", OFFLINE)],
  MessageFrame: [
    messageJson(CURSOR, MESSAGE),
    messageJson(CURSOR, statusMessage(ONLINE)),
    messageJson(CURSOR, "{}"),
  ],
  Live: [liveJson(CURSOR, ONLINE), liveJson(CURSOR, OFFLINE)],
  Position: [positionJson(CURSOR)],
  Goodbye: [goodbyeJson("shutdown", 0), goodbyeJson("shutdown", 4_999)],
  WorkerFrame: [workerJsonFrame(ONLINE), workerJsonFrame(OFFLINE)],
  WorkerStatus: [statusMessage(ONLINE), statusMessage(OFFLINE)],
  PublishAck: [ackJson("7", CURSOR), ackJson(undefined, CURSOR), ackJson('"', CURSOR)],
  PublishError: [errorJson("7", "because"), errorJson(undefined, 'a "reason"\n')],
  Command: [commandJson("8c41f0d2a6b35e97", 1, MESSAGE), commandJson("8c41f0d2a6b35e97", 12, "{}")],
};
const FORWARDED: readonly FrameName[] = ["Canary", "Message", "Pong", "RawCommand"];

describe.each(Object.entries(PARTIES))("what the hub sends as %s's", (name, party) => {
  test.each(party.sends.filter((frame) => BUILT[frame] !== undefined))("%s fits the contract", (frame) => {
    for (const text of BUILT[frame] ?? []) {
      expect(() => checkFrame(name as keyof typeof PARTIES, text)).not.toThrow();
    }
  });

  test("is built by a function, or forwarded", () => {
    const rest = party.sends.filter((frame) => BUILT[frame] === undefined);
    expect(rest.filter((frame) => !FORWARDED.includes(frame))).toEqual([]);
  });
});

test("events are the same objects, and messages stand as they came", () => {
  const stream = [
    sseEvent("hello", hello(true, ONLINE), CURSOR),
    sseMessage({ cursor: CURSOR, text: MESSAGE }),
    sseMessage({ cursor: CURSOR, text: statusMessage(OFFLINE) }),
    sseEvent("live", liveJson(CURSOR, OFFLINE), CURSOR),
    sseEvent("goodbye", goodbyeJson("shutdown", 1)),
  ].join("");
  const events = createEventParser()(stream);
  expect(events).toHaveLength(5);
  for (const { event, data = "" } of events) expect(() => checkEvent(event, data)).not.toThrow();
});

describe("a worker's envelope", () => {
  const examples = Object.values(at(asyncapiDocument(DEFAULTS), "components", "messages"))
    .filter((message) => ["Register", "Publish", "CommandAck"].includes(String((message as Json)["name"])))
    .flatMap((message) => (message as Json)["examples"] as { payload: unknown }[]);

  test("that the contract shows is one that the hub reads", () => {
    expect(examples.length).toBeGreaterThan(3);
    for (const { payload } of examples) {
      expect(readWorkerEnvelope(JSON.stringify(payload))).toMatchObject({ ok: true });
    }
  });

  const malformed = [
    '{"type":"publish"}',
    '{"type":"publish","data":[]}',
    '{"type":"publish","data":{},"ref":7}',
    `{"type":"publish","data":{},"ref":"${"x".repeat(129)}"}`,
    '{"type":"publish","data":{},"key":""}',
    '{"type":"publish","data":{},"key":"two words"}',
    `{"type":"publish","data":{},"key":"${"k".repeat(256)}"}`,
    '{"type":"ack"}',
    '{"type":"ack","id":""}',
    '{"type":"subscribe"}',
    '{"metadata":{}}',
    "[]",
    "7",
  ];
  test.each(malformed)("that the hub refuses is not in the contract: %s", (text) => {
    expect(readWorkerEnvelope(text)).toMatchObject({ ok: false });
    expect(() => checkFrame("streamWorker", text, "receives")).toThrow("no frame like this one");
  });
});
