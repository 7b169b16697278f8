import { expect, test } from "bun:test";
import { barChart, chartColumn, lineChart } from "../support/chart.ts";
import { formatTick, linearAxis, logAxis } from "../support/chart-axis.ts";

const LINES = {
  title: "Memory",
  xLabel: "minutes",
  yLabel: "MB",
  series: [
    { name: "hub", points: [[0, 50] as const, [1, 62.5] as const, [2, 61] as const] },
    { name: "second", points: [[0, 5] as const, [2, 80] as const] },
  ],
};

/** Fails on tags that are not closed in the right order, and on values that a reader of SVG cannot take. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [tag, closing, name = "", attributes = "", alone] of svg.matchAll(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<>]*")*)(\/?)>/g,
  )) {
    expect(attributes).not.toMatch(/NaN|Infinity|undefined/);
    if (closing === "/") expect({ tag, name: open.pop() }).toEqual({ tag, name });
    else if (alone === "") open.push(name);
  }
  expect(open).toEqual([]);
  expect(svg.replace(/<\/?[a-z]+(?: [a-zA-Z0-9:-]+="[^"<>]*")*\/?>/g, "")).not.toMatch(
    /[<>]|&(?!amp;|lt;|gt;|quot;)/,
  );
}

test.each([
  [[0, 97], 5, [0, 20, 40, 60, 80, 100]],
  [[0, 1], 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [[0.1, 0.3], 2, [0.1, 0.2, 0.3]],
  [[-3, 12], 3, [-5, 0, 5, 10, 15]],
  [[7, 7], 2, [6, 7, 8]],
  [[0, 0], 2, [0, 0.5, 1]],
  [[], 2, [0, 0.5, 1]],
])("the ticks of %j are round and enclose the values", (values, wanted, ticks) => {
  expect(linearAxis(values, wanted).ticks).toEqual(ticks);
});

test("a linear axis maps its ends to 0 and 1, and begins at zero where asked", () => {
  const axis = linearAxis([42, 100], 5, true);
  expect([axis.share(0), axis.share(50), axis.share(100)]).toEqual([0, 0.5, 1]);
  expect(axis.share(Number.NaN)).toBeUndefined();
});

test("a log axis has decades, a few more ticks where there are few, and no place for zero", () => {
  expect(logAxis([3, 40_000]).ticks).toEqual([1, 10, 100, 1000, 10_000, 100_000]);
  expect(logAxis([3, 70]).ticks).toEqual([1, 2, 5, 10, 20, 50, 100]);
  expect(logAxis([]).ticks).toEqual([1, 2, 5, 10]);
  expect(logAxis([1e-300, 1e300]).ticks.length).toBeLessThan(12);
  const axis = logAxis([1, 100]);
  expect([axis.share(1), axis.share(10), axis.share(100), axis.share(0)]).toEqual([0, 0.5, 1, undefined]);
});

test.each([
  [0, "0"],
  [0.3, "0.3"],
  [1500, "1,500"],
  [2_500_000, "2.5M"],
  [3e9, "3G"],
  [0.00002, "2e-5"],
])("%d is written %s", (value, text) => {
  expect(formatTick(value)).toBe(text);
});

test("a line chart has a ground of its own, its labels, ticks, legend and a line for each series", () => {
  const svg = lineChart({ ...LINES, marks: [{ x: 1, name: "base" }] });
  expectWellFormed(svg);
  expect(svg).toContain('fill="#fff"');
  for (const words of ["Memory", "minutes", "MB", "hub", "second", "base", "80"])
    expect(svg).toContain(`>${words}<`);
  expect(svg.match(/<polyline /g)).toHaveLength(2);
});

test("a higher value stands higher", () => {
  const svg = lineChart({ ...LINES, series: LINES.series.slice(0, 1) });
  const heights = /<polyline points="([^"]*)"/
    .exec(svg)?.[1]
    ?.split(" ")
    .map((point) => Number(point.split(",")[1]));
  const [first = 0, second = 0, third = 0] = heights ?? [];
  expect(second).toBeLessThan(third);
  expect(third).toBeLessThan(first);
});

test("what is no number is a gap, and a point alone a dot", () => {
  const points = [
    [0, 1],
    [1, 2],
    [2, Number.NaN],
    [3, 4],
  ] as const;
  const svg = lineChart({ ...LINES, series: [{ name: "hub", points }] });
  expectWellFormed(svg);
  expect(svg.match(/<polyline /g)).toHaveLength(1);
  expect(svg.match(/<circle /g)).toHaveLength(1);
});

test("a chart of nothing, and one of zeros on a log scale, are charts", () => {
  expectWellFormed(lineChart({ ...LINES, series: [] }));
  expectWellFormed(
    lineChart({ ...LINES, logY: true, logX: true, series: [{ name: "hub", points: [[0, 0]] }] }),
  );
  expectWellFormed(barChart({ title: "", yLabel: "", groups: [] }));
});

test("text cannot break out of the chart", () => {
  const nasty = '<script>"&\u0000';
  const bars = [{ name: nasty, value: 1 }];
  for (const svg of [
    lineChart({
      title: nasty,
      xLabel: nasty,
      yLabel: nasty,
      series: [
        {
          name: nasty,
          points: [
            [0, 0],
            [1, 1],
          ],
        },
      ],
    }),
    barChart({ title: nasty, yLabel: nasty, groups: [{ name: nasty, bars }] }),
  ]) {
    expectWellFormed(svg);
    expect(svg).toContain("&lt;script&gt;&quot;&amp; ");
  }
});

test("a bar chart gives each name one colour in all groups, and draws the spread", () => {
  const svg = barChart({
    title: "Fan-out",
    yLabel: "deliveries per second",
    groups: [
      {
        name: "10",
        bars: [
          { name: "hub", value: 900 },
          { name: "ws", value: 100, spread: [90, 130] },
        ],
      },
      {
        name: "1,000",
        bars: [
          { name: "ws", value: 110 },
          { name: "hub", value: 1000 },
        ],
      },
    ],
  });
  expectWellFormed(svg);
  const colours = [...svg.matchAll(/fill="(#[0-9a-f]+)"><title>[^<]*, (hub|ws):/g)].map(
    ([, colour, name]) => `${name} ${colour}`,
  );
  expect(colours).toHaveLength(4);
  expect(new Set(colours).size).toBe(2);
  const lengths = [...svg.matchAll(/height="([0-9.]+)" fill="#[0-9a-f]+"><title>/g)].map(([, height]) =>
    Number(height),
  );
  expect((lengths[0] ?? 0) / (lengths[3] ?? 0)).toBeCloseTo(0.9, 2);
  const without = barChart({
    title: "",
    yLabel: "",
    groups: [{ name: "", bars: [{ name: "ws", value: 100 }] }],
  });
  expect(svg.match(/stroke="#333"/g)).toHaveLength(3);
  expect(without).not.toContain('stroke="#333"');
});

test("the smallest bar of a log scale can be seen", () => {
  const bars = [
    { name: "small", value: 100 },
    { name: "large", value: 100_000 },
  ];
  const svg = barChart({ title: "", yLabel: "", logY: true, groups: [{ name: "", bars }] });
  expect(Number(/height="([0-9.]+)" fill="#[0-9a-f]+"><title>, small/.exec(svg)?.[1])).toBeGreaterThan(10);
});

test("charts can stand below each other in one file", () => {
  const both = chartColumn([lineChart(LINES), barChart({ title: "Bars", yLabel: "n", groups: [] })]);
  expectWellFormed(both);
  expect(both).toContain('<svg y="0" ');
  expect(both).toContain('<svg y="400" ');
  expect(both).toContain('height="800"');
});
