import { expect, setDefaultTimeout } from "bun:test";
import { DEADLINE_MS, within } from "../support/deadline.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { HAS_PROC, openSockets, residentBytes } from "../support/process.ts";
import { testThatNeeds } from "../support/skip.ts";
import { overSse, overWebSocket } from "../support/stream.ts";
import { type Audience, startAudience } from "./stalled/audience.ts";
import { createHeavyStream, type HeavyStream } from "./stalled/heavy-stream.ts";
import { openStalledReaders, type StalledReader } from "./stalled/reader.ts";

// Clients that stop reading, as a suspended laptop or a debugger's breakpoint makes them, beside healthy ones under a
// heavy stream. Nobody else must notice; they must be sent away, and what was held for them must be given back.

/** Wave after wave comes and stalls, so that what a leak would hold grows far beyond what the hub needs by itself. */
const WAVES = 12;
const READERS_OF_EACH_KIND = 12;
/** Far more than one wave streams, so that the stalled can resume. */
const HISTORY_BYTES = 33_554_432;
/** Readers that are still there after so much are not sent away: the kernel takes a few megabytes for each. */
const WAVE_LIMIT_BYTES = 200_000_000;
/** How far the memory may be above what it was before, once they are gone. */
const GROWTH_LIMIT = 1.2;
/** Memory is given back in its own time; meanwhile the stream goes on, but slowly, so that nobody's place is evicted. */
const LOOK_INTERVAL_MS = 50;
const LOOKS_BEFORE = 40;
const TEST_LIMIT_MS = 240_000;

setDefaultTimeout(TEST_LIMIT_MS);

testThatNeeds("/proc", HAS_PROC)(
  "clients that stop reading are sent away, cost the others nothing, and leave no memory behind",
  async () => {
    await using hub = await startHub({ env: { HISTORY_BYTES: String(HISTORY_BYTES) } });
    await using audience = startAudience(hub.url);
    await within(audience.joined, "the healthy clients");
    const stream = createHeavyStream(hub, audience);
    // The history fills up once, so that only what comes on top of it counts.
    while (stream.bytes() < 2 * HISTORY_BYTES) await stream.publish();
    const socketsBefore = openSockets(hub.pid);
    const bytesBefore = await lowestResidentBytes(hub, stream);

    let readers: StalledReader[] = [];
    let firstMissed = 0;
    for (let wave = 1; wave <= WAVES; wave += 1) {
      // Those of the last wave stay connected and silent while their memory is looked for.
      for (const reader of readers) reader.reset();
      readers = await openStalledReaders(hub, READERS_OF_EACH_KIND);
      firstMissed = stream.newest() + 1;
      await streamUntilGone(stream, audience);
    }
    await until("the sockets are closed", stream, () => openSockets(hub.pid) <= socketsBefore);
    await until(`not above ${GROWTH_LIMIT} times ${bytesBefore} bytes`, stream, () => {
      return residentBytes(hub.pid) <= GROWTH_LIMIT * bytesBefore;
    });
    await audience.reached(stream.newest());
    for (const reader of readers) await checkReader(hub, reader, firstMissed, stream.newest());
  },
);

/** Publishes until the receipts count the healthy clients alone. */
async function streamUntilGone(stream: HeavyStream, audience: Audience): Promise<void> {
  const limitBytes = stream.bytes() + WAVE_LIMIT_BYTES;
  while (!Bun.deepEquals(await stream.publish(), audience.receivers)) {
    if (stream.bytes() > limitBytes) throw new Error(`still there after ${WAVE_LIMIT_BYTES} bytes`);
  }
}

/** The least that the hub needs while it is at work: what it holds for good. */
async function lowestResidentBytes(hub: Hub, stream: HeavyStream): Promise<number> {
  const seen: number[] = [];
  while (seen.length < LOOKS_BEFORE) {
    await stream.publish(1);
    await Bun.sleep(LOOK_INTERVAL_MS);
    seen.push(residentBytes(hub.pid));
  }
  return Math.min(...seen);
}

/** Waits for something that nobody announces, while the stream goes on slowly. */
async function until(what: string, stream: HeavyStream, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await stream.publish(1);
    await Bun.sleep(LOOK_INTERVAL_MS);
  }
}

/** It must have got the beginning of what it missed, its connection must be over, and it must be able to resume. */
async function checkReader(hub: Hub, reader: StalledReader, first: number, last: number): Promise<void> {
  const { numbers, cursor } = await reader.readToTheEnd();
  expect({ kind: reader.kind, numbers }).toEqual({
    kind: reader.kind,
    numbers: numbersFrom(first, numbers.length),
  });
  expect(numbers.length).toBeLessThan(last - first + 1);
  if (cursor === undefined) return;
  const transport = reader.kind === "SSE" ? overSse : overWebSocket;
  const rest: number[] = [];
  const connection = transport({
    url: hub.url,
    since: cursor,
    take(event) {
      if (event.kind === "hello") expect(event).toMatchObject({ resumed: true, reason: "" });
      if (event.kind === "message") rest.push(JSON.parse(event.text).n);
      if (event.kind === "live") connection.drop();
    },
  });
  await within(connection.ended, "the resumed stream");
  expect([...numbers, ...rest]).toEqual(numbersFrom(first, last - first + 1));
}

function numbersFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
