import { expect } from "bun:test";
import { AUTHORIZED, call } from "./api.ts";
import type { Hub } from "./hub.ts";

/** `/metrics` as it was at one time: each series, written as on the page, with its value. */
export type Scrape = ReadonlyMap<string, number>;

const NAME = "[a-zA-Z_][a-zA-Z0-9_]*";
const SERIES = new RegExp(`^(${NAME})(?:\\{(?:${NAME}="[^"\\\\\\n]*"(?:,(?=[a-z])|(?=\\})))*\\})?$`);

/** Reads Prometheus' text format (version 0.0.4) strictly; fails on a line that is none, and on a series that is there twice. */
export function readScrape(text: string): Scrape {
  const scrape = new Map<string, number>();
  const announced = new Set<string>();
  expect(text).toEndWith("\n");
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (?:HELP|TYPE) (\S+) \S/.exec(line);
    if (comment !== null) {
      announced.add(comment[1] ?? "");
      continue;
    }
    const space = line.lastIndexOf(" ");
    const series = line.slice(0, space);
    const value = Number(line.slice(space + 1));
    const name = SERIES.exec(series)?.[1] ?? "";
    const isAnnounced = announced.has(name) || announced.has(name.replace(/_(bucket|sum|count)$/, ""));
    if (!isAnnounced || Number.isNaN(value) || scrape.has(series)) throw new Error(`no series: ${line}`);
    scrape.set(series, value);
  }
  return scrape;
}

export async function scrape(hub: Hub): Promise<Scrape> {
  const { status, headers, body } = await call(hub, "/metrics", { headers: AUTHORIZED });
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return readScrape(body);
}

/** The hub's counters that grew while something happened, each with by how much. They may be written as `name label`. */
export async function growth(hub: Hub, happen: () => Promise<void>): Promise<Record<string, number>> {
  const before = await scrape(hub);
  await happen();
  return growthSince(before, await scrape(hub));
}

/** `{ "published_total worker": 3 }`: the label's value behind the name, which is without its prefix. */
export function growthSince(before: Scrape, after: Scrape): Record<string, number> {
  const grown: Record<string, number> = {};
  for (const [series, value] of after) {
    const parts = /^vectra_(\w+_total)(?:\{\w+="(.*)"\})?$/.exec(series);
    const change = value - (before.get(series) ?? 0);
    if (parts !== null && change !== 0) grown[parts.slice(1).filter(Boolean).join(" ")] = change;
  }
  return grown;
}
