import { type Axis, formatTick, linearAxis, logAxis } from "./chart-axis.ts";

/**
 * Charts as SVG files for reports. They stand on a white ground of their own, so they can be read on a dark page too, and
 * tell the series apart by dashes as well as by colours that the colour-blind can tell apart (Okabe and Ito).
 */

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A point that is no finite number is a gap in the line. */
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Begins the y axis at 0 (the default); false shows small changes of large values. No meaning with `logY`. */
  readonly fromZero?: boolean;
  /** Dashed vertical lines, e.g. where a warm-up ends. */
  readonly marks?: readonly { readonly x: number; readonly name: string }[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The lowest and the highest value measured: drawn as a whisker. */
  readonly spread?: readonly [number, number];
}

export interface BarChart {
  readonly title: string;
  readonly yLabel: string;
  /** Bars of one name have one colour in all groups. */
  readonly groups: readonly { readonly name: string; readonly bars: readonly Bar[] }[];
  readonly logY?: boolean;
}

const WIDTH = 860;
const HEIGHT = 400;
const LEFT = 76;
const RIGHT = 24;
const BOTTOM = 56;
const LEGEND_LINE = 20;
/** Of the 12 px sans serif in which everything but the title is set; a guess on the safe side. */
const LETTER = 6.8;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8a6d00"];
const DASHES = ["", "7 3", "2 3"];

interface Plot {
  readonly top: number;
  x(share: number): number;
  y(share: number): number;
}

export function lineChart(chart: LineChart): string {
  const { series, marks = [] } = chart;
  const points = series.flatMap((each) => each.points);
  const xs = [...points.map(([x]) => x), ...marks.map(({ x }) => x)];
  const ys = points.map(([, y]) => y);
  const xAxis = chart.logX === true ? logAxis(xs) : linearAxis(xs, 10);
  const yAxis = chart.logY === true ? logAxis(ys) : linearAxis(ys, 6, chart.fromZero ?? true);
  const { plot, parts } = frame(
    chart.title,
    chart.yLabel,
    series.map(({ name }) => name),
    yAxis,
  );
  for (const tick of xAxis.ticks) {
    const x = plot.x(xAxis.share(tick) ?? 0);
    parts.push(
      line(x, plot.y(0), x, plot.y(0) + 5, "#666"),
      text(x, plot.y(0) + 20, formatTick(tick), "middle"),
    );
  }
  parts.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, chart.xLabel, "middle"));
  for (const { x, name } of marks) {
    const at = plot.x(xAxis.share(x) ?? 0);
    parts.push(
      line(at, plot.top, at, plot.y(0), "#666", "4 4"),
      text(at + 4, plot.top + 12, name, "start", "#555"),
    );
  }
  for (const [at, each] of series.entries()) parts.push(curve(each.points, xAxis, yAxis, plot, at));
  return svg(chart.title, parts);
}

export function barChart(chart: BarChart): string {
  const { groups } = chart;
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const values = groups.flatMap(({ bars }) => bars.flatMap(({ value, spread = [] }) => [value, ...spread]));
  // On a log scale the smallest bar needs some ground to stand on.
  const yAxis =
    chart.logY === true
      ? logAxis(values.flatMap((value) => [value, value / 2]))
      : linearAxis(values, 6, true);
  const { plot, parts } = frame(chart.title, chart.yLabel, names, yAxis);
  const groupWidth = (WIDTH - LEFT - RIGHT) / Math.max(1, groups.length);
  const barWidth = Math.min(60, (groupWidth * 0.8) / Math.max(1, names.length));
  const baseline = plot.y(yAxis.share(0) ?? 0);
  for (const [at, { name, bars }] of groups.entries()) {
    const middle = LEFT + (at + 0.5) * groupWidth;
    parts.push(text(middle, HEIGHT - BOTTOM + 20, name, "middle", "#222", groupWidth));
    for (const [order, { name: barName, value, spread }] of bars.entries()) {
      const share = yAxis.share(value);
      if (share === undefined) continue;
      const x = middle + (order - bars.length / 2) * barWidth;
      const [top, bottom] = [Math.min(baseline, plot.y(share)), Math.max(baseline, plot.y(share))];
      const colour = COLOURS[names.indexOf(barName) % COLOURS.length] ?? "#000";
      parts.push(
        `<rect x="${round(x + 1)}" y="${round(top)}" width="${round(barWidth - 2)}" height="${round(bottom - top)}" fill="${colour}"><title>${escaped(`${name}, ${barName}: ${value}`)}</title></rect>`,
      );
      const [low, high] = (spread ?? []).map((end) => plot.y(yAxis.share(end) ?? 0));
      if (low !== undefined && high !== undefined) parts.push(whisker(x + barWidth / 2, low, high));
      const label = value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
      if (label.length * LETTER <= barWidth + 8)
        parts.push(text(x + barWidth / 2, Math.min(top, high ?? top) - 4, label, "middle"));
    }
  }
  return svg(chart.title, parts);
}

/** Several charts below each other, in one file. */
export function chartColumn(charts: readonly string[]): string {
  const placed = charts.map((chart, at) => chart.replace("<svg ", `<svg y="${at * HEIGHT}" `));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT * charts.length}" viewBox="0 0 ${WIDTH} ${HEIGHT * charts.length}">\n${placed.join("")}</svg>\n`;
}

/** Ground, title, legend, grid and y axis: what both kinds have. */
function frame(
  title: string,
  yLabel: string,
  names: readonly string[],
  yAxis: Axis,
): { plot: Plot; parts: string[] } {
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${WIDTH / 2}" y="24" text-anchor="middle" font-size="15" font-weight="bold" fill="#111">${escaped(title)}</text>`,
  ];
  let [x, y] = [LEFT, 46];
  for (const [at, name] of names.entries()) {
    const width = 34 + name.length * LETTER + 14;
    if (x > LEFT && x + width > WIDTH - RIGHT) [x, y] = [LEFT, y + LEGEND_LINE];
    parts.push(line(x, y - 4, x + 26, y - 4, colourOf(at), dashOf(at), 3), text(x + 32, y, name, "start"));
    x += width;
  }
  const top = y + 24;
  const plot: Plot = {
    top,
    x: (share) => LEFT + share * (WIDTH - LEFT - RIGHT),
    y: (share) => HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - top),
  };
  for (const tick of yAxis.ticks) {
    const at = plot.y(yAxis.share(tick) ?? 0);
    parts.push(line(LEFT, at, WIDTH - RIGHT, at, "#ddd"), text(LEFT - 8, at + 4, formatTick(tick), "end"));
  }
  parts.push(
    line(LEFT, top, LEFT, plot.y(0), "#666"),
    line(LEFT, plot.y(0), WIDTH - RIGHT, plot.y(0), "#666"),
  );
  const middle = round((top + plot.y(0)) / 2);
  parts.push(
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle" fill="#222">${escaped(yLabel)}</text>`,
  );
  return { plot, parts };
}

/** One series: a line that is interrupted where there is nothing to show, and a dot where a point stands alone. */
function curve(
  points: LineChart["series"][number]["points"],
  xAxis: Axis,
  yAxis: Axis,
  plot: Plot,
  at: number,
): string {
  const runs: string[][] = [[]];
  for (const [valueX, valueY] of points) {
    const [x, y] = [xAxis.share(valueX), yAxis.share(valueY)];
    if (x === undefined || y === undefined) runs.push([]);
    else runs.at(-1)?.push(`${round(plot.x(x))},${round(plot.y(y))}`);
  }
  return runs
    .map(([first, ...rest]) => {
      if (first === undefined) return "";
      if (rest.length > 0)
        return `<polyline points="${[first, ...rest].join(" ")}" fill="none" stroke="${colourOf(at)}" stroke-width="2" stroke-linejoin="round"${dashed(dashOf(at))}/>`;
      const [x, y] = first.split(",");
      return `<circle cx="${x}" cy="${y}" r="3" fill="${colourOf(at)}"/>`;
    })
    .join("");
}

function whisker(x: number, low: number, high: number): string {
  return [
    line(x, low, x, high, "#333"),
    line(x - 4, low, x + 4, low, "#333"),
    line(x - 4, high, x + 4, high, "#333"),
  ].join("");
}

function svg(title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12"><title>${escaped(title)}</title>\n${parts.join("\n")}\n</svg>\n`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, dash = "", width = 1): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}" stroke-width="${width}"${dashed(dash)}/>`;
}

/** @param room where the text would be wider, it is squeezed into this many px */
function text(x: number, y: number, words: string, anchor: string, colour = "#222", room = Infinity): string {
  const squeeze =
    words.length * LETTER > room ? ` textLength="${round(room - 4)}" lengthAdjust="spacingAndGlyphs"` : "";
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${colour}"${squeeze}>${escaped(words)}</text>`;
}

function colourOf(at: number): string {
  return COLOURS[at % COLOURS.length] ?? "#000";
}

/** The dashes change when the colours begin anew. */
function dashOf(at: number): string {
  return DASHES[Math.floor(at / COLOURS.length) % DASHES.length] ?? "";
}

function dashed(dash: string): string {
  return dash === "" ? "" : ` stroke-dasharray="${dash}"`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** XML allows no control characters at all, not even escaped. */
function escaped(words: string): string {
  const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return words.replace(/[\p{Cc}\ufffe\uffff]/gu, " ").replace(/[&<>"]/g, (found) => named[found] ?? "");
}
