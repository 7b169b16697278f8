import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CLOSING } from "./sections/closing.ts";
import { CONTROL } from "./sections/control.ts";
import { FRAGMENTATION } from "./sections/fragmentation.ts";
import { FRAMING } from "./sections/framing.ts";
import { MASKING } from "./sections/masking.ts";
import { OPENING_ANSWER } from "./sections/opening-answer.ts";
import { OPENING_REQUEST } from "./sections/opening-request.ts";
import { RECEIVING } from "./sections/receiving.ts";
import { UTF8 } from "./sections/utf8.ts";
import { awaitedOutcome, numberOf, type Section } from "./support/case.ts";
import { openStage, type Stage } from "./support/stage.ts";

// RFC 6455 on the wire. `bun test test/wire/rfc6455 -t "5.2-17 "` runs a single case.

/** How many cases each section has at least: none may get lost unnoticed. */
const SECTIONS: readonly (readonly [section: Section, atLeast: number])[] = [
  [OPENING_REQUEST, 100],
  [OPENING_ANSWER, 50],
  [FRAMING, 135],
  [MASKING, 77],
  [FRAGMENTATION, 80],
  [CONTROL, 58],
  [RECEIVING, 33],
  [CLOSING, 73],
  [UTF8, 158],
];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

const ran = new Set<string>();

for (const [section] of SECTIONS) {
  describe(`RFC 6455 section ${section.section}, ${section.title}`, () => {
    for (const [index, each] of section.cases.entries()) {
      const number = numberOf(section, index);
      ran.add(number);
      test(`${number} ${each.title}`, async () => {
        const awaited = awaitedOutcome(each);
        const hint =
          each.deviation === undefined
            ? undefined
            : `${number} was a known limit (${each.deviation.because}): now Bun does otherwise. Update README.md`;
        expect(await each.observe(stage, awaited), hint).toEqual([...awaited]);
      });
    }
  });
}

test("no case is missing, and no number stands for two", () => {
  const cases = SECTIONS.flatMap(([section]) => section.cases);
  expect(cases.length).toBeGreaterThanOrEqual(250);
  expect(ran.size).toBe(cases.length);
  for (const [section, atLeast] of SECTIONS) {
    expect(section.cases.length, section.section).toBeGreaterThanOrEqual(atLeast);
    expect(new Set(section.cases.map(({ title }) => title)).size, section.section).toBe(section.cases.length);
  }
});

test("a deviation is one, and README.md names its case", async () => {
  const readme = await Bun.file(join(import.meta.dir, "../../../README.md")).text();
  for (const [section] of SECTIONS) {
    for (const [index, { deviation, expected }] of section.cases.entries()) {
      if (deviation === undefined) continue;
      expect(deviation.outcome).not.toEqual(expected);
      expect(readme).toMatch(new RegExp(`(?<![\\w.-])${RegExp.escape(numberOf(section, index))}(?![\\w-])`));
    }
  }
});

test("none of it was a fault of the hub", () => {
  expect(stage.hub.logs().filter((line) => line.level === "error")).toEqual([]);
});
