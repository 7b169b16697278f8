import { byId, setAttribute, setText } from "./dom.ts";
import { count, counted } from "./numbers.ts";
import { type Rates, SECONDS_LIMIT, type Second } from "./rates.ts";
import { timeOf } from "./runtime.ts";

/** The drawn chart: a bar for each second, and below it a ribbon that shows when there was a worker. */
export interface Chart {
  draw(nowMs: number): void;
}

const BAR_PX = 2;
const STEP_PX = 3;
const LEFT_PX = 34;
const RIBBON_PX = 3;
const BOTTOM_PX = 22;
const TOP_PX = 6;

export function createChart(rates: Rates): Chart {
  const canvas = byId("chart", HTMLCanvasElement);
  const tip = byId("chart-tip", HTMLElement);
  const figures = { now: byId("rate-now", HTMLElement), mean: byId("rate-mean", HTMLElement) };
  const peakFigure = byId("rate-peak", HTMLElement);
  const context = canvas.getContext("2d");
  let seconds: readonly Second[] = [];
  let lastMs = 0;

  const draw = (nowMs: number): void => {
    lastMs = nowMs;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (context === null || width === 0) return;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const bars = Math.max(1, Math.min(SECONDS_LIMIT, Math.floor((width - LEFT_PX) / STEP_PX)));
    seconds = rates.last(nowMs, bars);
    const peak = seconds.reduce((highest, { messages }) => Math.max(highest, messages), 0);
    const top = niceCeiling(peak);
    const baseline = height - BOTTOM_PX;
    const yOf = (value: number): number => baseline - (value / top) * (baseline - TOP_PX);
    const style = getComputedStyle(canvas);
    const colour = (name: string): string => style.getPropertyValue(name).trim();

    context.font = `11px ${style.fontFamily}`;
    context.fillStyle = colour("--muted");
    context.strokeStyle = colour("--line");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of [0, top / 2, top]) {
      const y = Math.round(yOf(value)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT_PX, y);
      context.lineTo(width, y);
      context.stroke();
      if (Number.isInteger(value)) context.fillText(short(value), LEFT_PX - 6, y);
    }

    const xOf = (index: number): number => width - (seconds.length - index) * STEP_PX;
    for (const [index, { messages, isWorkerOnline }] of seconds.entries()) {
      const x = xOf(index);
      context.fillStyle = colour("--accent");
      if (messages > 0) {
        const y = Math.min(yOf(messages), baseline - 1);
        context.fillRect(x, y, BAR_PX, baseline - y);
      }
      if (isWorkerOnline === undefined) continue;
      context.fillStyle = colour(isWorkerOnline ? "--good" : "--bad");
      context.fillRect(x, baseline + 3, STEP_PX, RIBBON_PX);
    }

    context.fillStyle = colour("--muted");
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(`${Math.round(seconds.length / 60)} min ago`, LEFT_PX, height - 3);
    context.textAlign = "right";
    context.fillText("now", width, height - 3);
    describe(peak);
  };

  const describe = (peak: number): void => {
    const now = seconds.at(-1)?.messages ?? 0;
    // Before the first of these seconds this page knew nothing.
    const known = seconds.slice(
      seconds.findIndex((second) => second.messages > 0 || second.isWorkerOnline !== undefined),
    );
    const mean = known.reduce((sum, { messages }) => sum + messages, 0) / Math.max(1, known.length);
    setText(figures.now, count(now));
    setText(figures.mean, count(Math.round(mean * 10) / 10));
    setText(peakFigure, count(peak));
    const minutes = counted(Math.round(seconds.length / 60), "minute");
    const label = `Messages per second over the last ${minutes}: ${count(now)} now, ${count(mean)} on average, ${count(peak)} at most.`;
    setAttribute(canvas, "aria-label", label);
  };

  canvas.addEventListener("pointermove", ({ offsetX }) => {
    const index = seconds.length - Math.ceil((canvas.clientWidth - offsetX) / STEP_PX);
    const second = seconds[index];
    tip.hidden = second === undefined;
    if (second === undefined) return;
    const worker = second.isWorkerOnline === false ? ", worker offline" : "";
    setText(tip, `${timeOf(second.at * 1000)}  ${counted(second.messages, "message")}${worker}`);
    const left = Math.min(offsetX + 10, canvas.clientWidth - tip.offsetWidth - 4);
    tip.style.transform = `translateX(${Math.max(0, left)}px)`;
  });
  canvas.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  const redraw = (): void => draw(lastMs);
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return { draw };
}

/** The next of 2, 4, 10, 20, 40, 100, …: half of it is a whole number as well. */
function niceCeiling(value: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [2, 4, 10]) if (step * power >= value) return step * power;
  }
}

/** `40`, `2k`, `1.5M` */
function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : String(value);
}
