import type { Random } from "../support/random.ts";

/** The types of what is published. BULK is large and only for those who ask for it, or for everything. */
export const TYPES = ["DOC_UPDATE", "DOC_CREATED", "DASHBOARD_STATS", "DOC_PROGRESS"] as const;
export const BULK = "BULK";
/** The type that is conflated, by doc_id. */
export const CONFLATED = "DOC_PROGRESS";
export const CONFLATE_RULE = `${CONFLATED}:doc_id:200`;

/** What a message says of itself: who published it, and as its how-manieth. The names grow along one publisher's messages. */
export interface Identity {
  readonly type: string;
  readonly by: string;
  readonly n: number;
}

/** A publisher's messages, numbered. For a conflated type, each document has a numbering of its own. */
export function createMessages(by: string, random: Random): (type: string) => string {
  let n = 0;
  return (type) => {
    n += 1;
    if (type === BULK) return `{"type":"${BULK}","by":"${by}","n":${n},"fill":"${"x".repeat(16_000)}"}`;
    // A number that JavaScript cannot hold, and spacing: what is not forwarded byte for byte would show.
    const odd = `"size": 9007199254740993, "ratio":1.0`;
    return `{"type":"${type}","by":"${by}","n":${n},${odd},"fill":"${"x".repeat(random.below(300))}"}`;
  };
}

export function createProgress(by: string, random: Random): () => string {
  const counts = new Map<string, number>();
  return () => {
    const doc = `${by}-${random.below(6)}`;
    const n = (counts.get(doc) ?? 0) + 1;
    counts.set(doc, n);
    return `{"type":"${CONFLATED}","by":"${doc}","n":${n},"doc_id":"${doc}","total":100}`;
  };
}

/** Undefined for what the hub itself has published. */
export function readIdentity(text: string): Identity | undefined {
  const { type, by, n } = JSON.parse(text);
  return typeof by === "string" && typeof n === "number" ? { type, by, n } : undefined;
}
