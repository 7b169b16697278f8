import { expect, test } from "bun:test";
import { expectProblem, publish, receiptOf, sendCommand } from "../../support/api.ts";
import { OPCODE } from "../../support/frame.ts";
import { startHub } from "../../support/hub.ts";
import { joinStreamWorker } from "../../support/streamclient.ts";

// "A full table refuses (503) rather than forgets" (PROTOCOL.md section 4).

/** As many keys as the hub holds. */
const KEYS_LIMIT = 100_000;

test("the 100,001st key within 10 minutes is refused, and the first is still known", async () => {
  await using hub = await startHub();
  const first = await publish(hub, '{"n":1}', { "idempotency-key": "first" });
  receiptOf(first);

  // A worker gets them in soonest: thousands in one piece, each with its acknowledgement.
  await using worker = await joinStreamWorker(hub);
  const batch = 5_000;
  let taken = 1;
  while (taken < KEYS_LIMIT) {
    const count = Math.min(batch, KEYS_LIMIT - taken);
    for (let n = 0; n < count; n++) {
      const payload = `{"type":"publish","key":"${taken + n}","data":{}}`;
      worker.raw.frame({ opcode: OPCODE.text, payload });
    }
    for (let n = 0; n < count; n++) {
      const frame = await worker.next();
      if (frame.type !== "ack") throw new Error(`${JSON.stringify(frame)} where an ack was due`);
    }
    taken += count;
  }

  const key = { "idempotency-key": "one-too-many" };
  const refusedPublish = await publish(hub, "{}", key);
  expectProblem(refusedPublish, 503, "keys_full");
  expect(refusedPublish.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  const refusedCommand = await sendCommand(hub, "{}", { headers: key });
  expectProblem(refusedCommand, 503, "keys_full");
  expect(refusedCommand.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  worker.send('{"type":"publish","ref":"1","key":"another","data":{}}');
  expect(await worker.next()).toMatchObject({ type: "error", ref: "1" });

  // What needs no room goes on: repeats, and whatever has no key.
  expect((await publish(hub, '{"n":1}', { "idempotency-key": "first" })).body).toBe(first.body);
  receiptOf(await publish(hub, "{}"));
  expect(await worker.untilPong()).toEqual([]);
});
