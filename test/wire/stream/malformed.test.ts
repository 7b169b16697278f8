import { describe, expect, test } from "bun:test";
import { startHub } from "../../support/hub.ts";
import { online } from "../../support/parties.ts";
import { joinLive, joinStreamWorker } from "../../support/streamclient.ts";

// PROTOCOL.md section 3: what a stream-framed worker must not send, and how it is told.

describe("a malformed envelope", () => {
  const long = "x".repeat(129);
  const emoji = "🔑".repeat(128);
  /** Whoever measures it before asking what it is trips over it. */
  const trap = '{"length":{"toString":"x","valueOf":1}}';
  /** With its ref, where the error must carry one. */
  const malformed: readonly (readonly [frame: string, ref: string | undefined])[] = [
    ["", undefined],
    ["{", undefined],
    ["NaN", undefined],
    ["7", undefined],
    ["null", undefined],
    ['"publish"', undefined],
    ['[{"type":"publish","ref":"1","data":{}}]', undefined],
    ["{}", undefined],
    ['{"ref":"1"}', "1"],
    ['{"ref":"1","data":{"n":1}}', "1"],
    ['{"type":null,"ref":"1","data":{"n":1}}', "1"],
    ['{"type":"PUBLISH","ref":"1","data":{"n":1}}', "1"],
    ['{"type":"message","ref":"1","id":"x","data":{"n":1}}', "1"],
    ['{"type":"DOC_UPDATE","n":1}', undefined],
    ['{"type":"REGISTER_WORKER","metadata":{"host":"h"}}', undefined],
    ['{"type":"publish"}', undefined],
    ['{"type":"publish","ref":"1"}', "1"],
    ['{"type":"publish","ref":"1","data":null}', "1"],
    ['{"type":"publish","ref":"1","data":[]}', "1"],
    ['{"type":"publish","ref":"1","data":"{}"}', "1"],
    ['{"type":"publish","ref":"1","data":7}', "1"],
    ['{"type":"publish","ref":"1","Data":{"n":1}}', "1"],
    ['{"type":"publish","ref":7,"data":{"n":1}}', undefined],
    ['{"type":"publish","ref":null,"data":{"n":1}}', undefined],
    [`{"type":"publish","ref":"${long}","data":{"n":1}}`, undefined],
    [`{"type":"publish","ref":"${long.replaceAll("x", "🔑")}","data":{"n":1}}`, undefined],
    [`{"type":"publish","ref":"${emoji}","data":7}`, emoji],
    [`{"type":"publish","ref":${trap},"data":{"n":1}}`, undefined],
    [`{"type":"publish","ref":"1","key":${trap},"data":{"n":1}}`, "1"],
    [`{"type":"ack","id":${trap}}`, undefined],
    [`{"type":${trap}}`, undefined],
    ['{"type":"publish","ref":"1","key":"","data":{"n":1}}', "1"],
    ['{"type":"publish","ref":"1","key":"has space","data":{"n":1}}', "1"],
    ['{"type":"publish","ref":"1","key":"schlüssel","data":{"n":1}}', "1"],
    [`{"type":"publish","ref":"1","key":"${long}${long}","data":{"n":1}}`, "1"],
    ['{"type":"publish","ref":"1","key":7,"data":{"n":1}}', "1"],
    ['{"type":"publish","ref":"1","data":{"type":"WORKER_STATUS","status":"offline"}}', "1"],
    ['{"type":"publish","ref":"1","data":{"type":"REGISTER_WORKER","metadata":{}}}', "1"],
    ['{"type":"publish","ref":"1","data":{"type":"DOC_UPDATE","type":"WORKER_STATUS"}}', "1"],
    ['{"type":"publish","ref":"1","data":{"\\u0074ype":"WORKER\\u005fSTATUS"}}', "1"],
    ['{"type":"publish","ref":"1","data":{"n":1}} ]', undefined],
    ['{"type":"publish","ref":"1","data":{"n":NaN}}', undefined],
    ['{"type":"ack"}', undefined],
    ['{"type":"ack","id":7}', undefined],
    ['{"type":"ack","id":""}', undefined],
    [`{"type":"ack","id":"${long}"}`, undefined],
  ];

  test("is answered with an error, publishes nothing, and the connection stays", async () => {
    await using hub = await startHub();
    await using client = await joinLive(hub);
    await using worker = await joinStreamWorker(hub);
    expect(await client.texts(1)).toEqual([online()]);
    for (const [frame, ref] of malformed) {
      worker.send(frame);
      worker.send({ type: "publish", ref: "after", data: { frame } });
      const error = {
        type: "error",
        ...(ref === undefined ? {} : { ref }),
        reason: expect.stringMatching(/./),
      };
      expect({ frame, answer: await worker.next() }).toEqual({ frame, answer: error as never });
      expect(await worker.next()).toMatchObject({ type: "ack", ref: "after" });
      expect(await client.texts(1)).toEqual([JSON.stringify({ frame })]);
    }
  });
});
