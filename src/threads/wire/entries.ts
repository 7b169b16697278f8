import type { Entry } from "../../backplane/backplane.ts";
import type { Texts } from "./batch.ts";

/** What is said of an entry beside its text: cursor, bytes, type, and when it entered the stream. */
export type EntryHead = readonly [cursor: string, byteCount: number, type: string | null, atMs: number];

/** Entries with consecutive offsets. */
export interface EntryHeads {
  readonly first: number;
  readonly heads: readonly EntryHead[];
}

export function headsOf(entries: readonly Entry[]): EntryHeads {
  return {
    first: entries[0]?.offset ?? 0,
    heads: entries.map(({ cursor, byteCount, type, atMs }) => [cursor, byteCount, type ?? null, atMs]),
  };
}

export function textsOf(entries: readonly { readonly text: string }[]): string[] {
  return entries.map(({ text }) => text);
}

export function entriesOf({ first, heads }: EntryHeads, texts: Texts): Entry[] {
  return heads.map(([cursor, byteCount, type, atMs], at) => ({
    offset: first + at,
    cursor,
    text: texts(),
    byteCount,
    type: type ?? undefined,
    atMs,
  }));
}
