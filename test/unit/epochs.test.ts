import { describe, expect, test } from "bun:test";
import { createEpochs, type Epoch } from "../../src/backplane/epochs.ts";
import { parseCursor } from "../../src/protocol/cursor.ts";
import { createRandom } from "../support/random.ts";

// A cursor inside the range that its epoch really wrote is valid however many restarts ago, one past its end
// is unknown, and no cursor can ever mean two messages.

/** `aaaaaaaa` wrote 1–10, `bbbbbbbb` nothing, `cccccccc` 11–15, and `dddddddd`, the present one, 16–20. */
const EPOCHS: readonly Epoch[] = [
  { id: "aaaaaaaa", firstOffset: 1 },
  { id: "bbbbbbbb", firstOffset: 11 },
  { id: "cccccccc", firstOffset: 11 },
  { id: "dddddddd", firstOffset: 16 },
];
const LAST = 20;

function isKnown(epochs: readonly Epoch[], cursor: string, last: number): boolean {
  const parsed = parseCursor(cursor);
  if (parsed === undefined) throw new Error(`no cursor: ${cursor}`);
  return createEpochs(epochs).isKnown(parsed, last);
}

describe("isKnown", () => {
  test.each([
    ["the start of everything", "aaaaaaaa-0", true],
    ["inside the first epoch", "aaaaaaaa-5", true],
    ["the end of the first epoch", "aaaaaaaa-10", true],
    ["past the end of the first epoch", "aaaaaaaa-11", false],
    ["far past the end of the first epoch", "aaaaaaaa-20", false],
    ["the start of an epoch that wrote nothing", "bbbbbbbb-10", true],
    ["before an epoch that wrote nothing", "bbbbbbbb-9", false],
    ["past an epoch that wrote nothing", "bbbbbbbb-11", false],
    ["the start of the epoch after it", "cccccccc-10", true],
    ["the end of the epoch after it", "cccccccc-15", true],
    ["past its end", "cccccccc-16", false],
    ["the start of the present epoch", "dddddddd-15", true],
    ["before the present epoch", "dddddddd-14", false],
    ["inside the present epoch", "dddddddd-18", true],
    ["the head", "dddddddd-20", true],
    ["beyond the head", "dddddddd-21", false],
    ["an epoch that nobody knows", "eeeeeeee-5", false],
  ])("%s: %s", (_what, cursor, known) => {
    expect(isKnown(EPOCHS, cursor, LAST)).toBe(known);
  });

  test.each([
    ["the head of a fresh history", "aaaaaaaa-0", 0, true],
    ["beyond the head of a fresh history", "aaaaaaaa-1", 0, false],
    ["another run's cursor, where history is in memory", "bbbbbbbb-0", 0, false],
  ])("one epoch, %s", (_what, cursor, last, known) => {
    expect(isKnown([{ id: "aaaaaaaa", firstOffset: 1 }], cursor, last)).toBe(known);
  });
});

describe("cursorAt", () => {
  test.each([
    [0, "aaaaaaaa-0"],
    [1, "aaaaaaaa-1"],
    [10, "aaaaaaaa-10"],
    [11, "cccccccc-11"],
    [15, "cccccccc-15"],
    [16, "dddddddd-16"],
    [20, "dddddddd-20"],
    [21, "dddddddd-21"],
  ])("%d has the cursor of the epoch that wrote it: %s", (offset, cursor) => {
    expect(createEpochs(EPOCHS).cursorAt(offset)).toBe(cursor);
  });

  test("every cursor it gives out is known", () => {
    const { cursorAt } = createEpochs(EPOCHS);
    for (let offset = 0; offset <= LAST; offset++) expect(isKnown(EPOCHS, cursorAt(offset), LAST)).toBe(true);
  });

  test("over a thousand restarts", () => {
    const epochs = Array.from({ length: 1_000 }, (_, index) => ({
      id: index.toString(16).padStart(8, "0"),
      firstOffset: 1 + index * 3,
    }));
    const { cursorAt } = createEpochs(epochs);
    expect(cursorAt(1)).toBe("00000000-1");
    expect(cursorAt(1_500)).toBe("000001f3-1500");
    for (const offset of [0, 1, 3, 4, 1_499, 1_500, 2_997, 3_000]) {
      expect(isKnown(epochs, cursorAt(offset), 3_000)).toBe(true);
    }
  });
});

/** A file that is written, loses its tail now and then, and is opened anew each time. */
interface Disk {
  epochs: Epoch[];
  /** What each offset holds: the number of the message, counted over all runs. */
  messages: number[];
}

test("whatever is lost, a known cursor means the one message it was given out for", () => {
  let knownOnes = 0;
  let unknownOnes = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = createRandom(seed);
    const disk: Disk = { epochs: [], messages: [] };
    const meaning = new Map<string, number>();
    let written = 0;
    for (let run = 0; run < 12; run++) {
      const id = Buffer.from(random.bytes(4)).toString("hex");
      disk.epochs.push({ id, firstOffset: disk.messages.length + 1 });
      const { cursorAt } = createEpochs(disk.epochs);
      for (let count = random.below(8); count > 0; count--) {
        disk.messages.push(++written);
        const cursor = cursorAt(disk.messages.length);
        const about = { seed, run, cursor };
        expect({ ...about, isNew: !meaning.has(cursor) }).toEqual({ ...about, isNew: true });
        meaning.set(cursor, written);
      }
      for (const [cursor, message] of meaning) {
        if (!isKnown(disk.epochs, cursor, disk.messages.length)) {
          unknownOnes++;
          continue;
        }
        knownOnes++;
        const at = parseCursor(cursor)?.offset ?? 0;
        const about = { seed, run, cursor };
        expect({ ...about, means: disk.messages[at - 1] }).toEqual({ ...about, means: message });
      }
      for (const [index, message] of disk.messages.entries()) {
        expect(meaning.get(cursorAt(index + 1))).toBe(message);
      }
      if (random.below(2) === 0) loseTail(disk, random.below(10));
    }
  }
  expect(Math.min(knownOnes, unknownOnes)).toBeGreaterThan(1_000);
});

/** A power loss takes the newest messages, and an epoch's own row only after all that it wrote. */
function loseTail(disk: Disk, count: number): void {
  for (let left = count; left > 0; left--) {
    const present = disk.epochs.at(-1);
    if (present !== undefined && present.firstOffset > disk.messages.length && disk.epochs.length > 1) {
      disk.epochs.pop();
    } else {
      disk.messages.pop();
    }
  }
}
