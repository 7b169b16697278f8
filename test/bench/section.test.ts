import { expect, test } from "bun:test";
import { renderFindings } from "./finding.ts";
import type { Round } from "./generator/closed-loop.ts";
import { createHistogram, merge, percentileOf, record } from "./histogram.ts";
import { renderMatrix } from "./matrix.ts";
import { compare, timesFaster } from "./result.ts";
import { renderSection, withSection } from "./section.ts";

test("a percentile of a histogram is right within a hundredth, its largest value exactly", () => {
  const [low, high] = [createHistogram(), createHistogram()];
  for (let value = 1; value <= 1_000; value += 1) record(value <= 500 ? low : high, value / 10);
  const all = merge([low, high]);
  expect(all.total).toBe(1_000);
  expect(all.max).toBe(100);
  for (const share of [0.5, 0.9, 0.99, 0.999]) {
    const exact = share * 100;
    expect(percentileOf(all, share)).toBeGreaterThanOrEqual(exact * 0.9999);
    expect(percentileOf(all, share)).toBeLessThanOrEqual(exact * 1.0101);
  }
  expect(percentileOf(all, 1)).toBe(100);
  record(all, 0);
  expect(percentileOf(all, 0.0001)).toBeLessThanOrEqual(0.001);
  expect(() => percentileOf(createHistogram(), 0.5)).toThrow("nothing to summarise");
});

const round = (seconds: number): Round => ({
  deliveries: 1_000_000,
  chunks: 50_000,
  seconds,
  serverCpuSeconds: 0.8,
  generatorCpuSeconds: 0.2,
  machineCpuSeconds: 1,
});
const cell = { framing: "raw" as const, subscribers: 1000, inFlight: 500 };
const results = compare([
  { ...cell, target: "floor", underWay: 500, rounds: [round(1), round(1), round(1)] },
  { ...cell, target: "hub", underWay: 500, rounds: [round(2), round(1), round(1)] },
  { ...cell, target: "ws", underWay: 50, rounds: [round(20), round(10)] },
]);

test("a slower server with fewer rounds is compared turn by turn", () => {
  const [, hub, ws] = results;
  expect(hub && ws && timesFaster(hub, ws)).toBeCloseTo(10);
});

test("servers stand side by side, and what was measured differently says so", () => {
  expect(renderMatrix(results)).toBe(
    [
      "| subscribers × in flight | floor | hub | ws |",
      "| --- | ---: | ---: | ---: |",
      "| raw framing, 1,000 × 500 | 1,000 | 1,000 | 67 (50 in flight) |",
    ].join("\n"),
  );
});

const finding = { what: "speed", measured: "3", target: "at least 4", met: false };
const report = {
  ...{ name: "sse", title: "SSE", date: "2026-11-22", machine: "a machine", disturbance: "none" },
  ...{
    command: "bun test/bench/sse.ts",
    findings: [finding, { ...finding, target: "at least 2", met: true }],
  },
};

test("each promise stands beside what was measured, kept or missed", () => {
  expect(renderFindings(report.findings).split("\n").slice(2)).toEqual([
    "| speed | 3 | at least 4 | **missed** |",
    "| speed | 3 | at least 2 | met |",
  ]);
});

test("the README's section names date, machine and command, and an older part's own", () => {
  const section = renderSection([report, { ...report, title: "Old", date: "2026-11-01" }], "make bench");
  expect(section).toStartWith("Measured on 2026-11-22, on a machine, over loopback");
  expect(section).toContain("Old on 2026-11-01, on a machine. Repeat it with `make bench`.");
  expect(section).toEndWith("SSE: none. Old: none.\n");
});

test("the section is put between its marks, which must be there once", () => {
  const [begin, end] = ["<!-- measured: make bench -->\n", "<!-- end of measured -->"];
  expect(withSection(`a\n${begin}old\n${end}\nb`, "new\n")).toBe(`a\n${begin}new\n${end}\nb`);
  for (const wrong of ["", begin, end, `${end}${begin}`, `${begin}${end}${begin}${end}`]) {
    expect(() => withSection(wrong, "new")).toThrow("README.md needs");
  }
});
