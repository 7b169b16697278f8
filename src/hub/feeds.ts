import type { Entry } from "../backplane/backplane.ts";
import type { Metrics, Transport } from "../observe/metrics.ts";
import { passes, type TypeFilter } from "../protocol/filter.ts";
import { sseMessage } from "../protocol/sse.ts";
import type { Runtime } from "../runtime.ts";

/** Told of every connection that goes live, and of every one that was live and ends: what it takes, and one more or less. */
export type AudienceListener = (types: TypeFilter, transport: Transport, by: 1 | -1) => void;

/** A live SSE stream: takes whole chunks. */
export interface Feed {
  readonly types: TypeFilter;
  /** The hub's own, which is nobody's connection. */
  readonly isProbe?: boolean;
  write(chunk: Uint8Array): void;
}

/**
 * The live SSE streams. They have no native topics, so this is the one loop over recipients; it is paid for once in each
 * turn of the event loop, not once for each message.
 */
export interface Feeds {
  push(entry: Entry): void;
  /** From the next entry on, the feed gets all that pass its filter. */
  join(feed: Feed): void;
  leave(feed: Feed): void;
  count(type: string | undefined): number;
  /** Writes what has been pushed in this turn now. */
  flush(): void;
}

interface Group {
  readonly types: TypeFilter;
  readonly feeds: Set<Feed>;
}

export function createFeeds(
  runtime: Pick<Runtime, "soon">,
  metrics: Pick<Metrics, "deliveries" | "deliveredBytes">,
  audience?: AudienceListener,
): Feeds {
  /** Feeds with the same filter share one encoded chunk. */
  const groups = new Map<string, Group>();
  const encoder = new TextEncoder();
  let turn: Entry[] = [];

  const groupKey = (types: TypeFilter): string => (types === undefined ? "" : [...types].sort().join(","));

  const flush = (): void => {
    if (turn.length === 0) return;
    const entries = turn;
    turn = [];
    for (const { types, feeds } of groups.values()) {
      const passing = entries.filter((entry) => passes(types, entry.type));
      if (passing.length === 0) continue;
      const chunk = encoder.encode(passing.map(sseMessage).join(""));
      const connections = feeds.values().reduce((count, feed) => count + (feed.isProbe ? 0 : 1), 0);
      metrics.deliveries.add("sse", passing.length * connections);
      const byteCount = passing.reduce((sum, entry) => sum + entry.byteCount, 0);
      metrics.deliveredBytes.add("sse", byteCount * connections);
      for (const feed of feeds) feed.write(chunk);
    }
  };

  return {
    push(entry) {
      if (groups.size === 0) return;
      turn.push(entry);
      if (turn.length === 1) runtime.soon(flush);
    },
    join(feed) {
      // What is waiting for the end of this turn lies before the newcomer's position.
      flush();
      const key = groupKey(feed.types);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { types: feed.types, feeds: new Set([feed]) });
      else group.feeds.add(feed);
      audience?.(feed.types, "sse", 1);
    },
    leave(feed) {
      const key = groupKey(feed.types);
      const group = groups.get(key);
      if (group?.feeds.delete(feed) !== true) return;
      if (group.feeds.size === 0) groups.delete(key);
      audience?.(feed.types, "sse", -1);
    },
    count(type) {
      let count = 0;
      for (const { types, feeds } of groups.values()) if (passes(types, type)) count += feeds.size;
      return count;
    },
    flush,
  };
}
