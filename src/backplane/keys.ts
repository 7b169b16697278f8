import type { KeyRecord, Refused } from "./backplane.ts";

/** How long a repeat gets the first answer (PROTOCOL.md, section 4). */
export const KEY_TTL_MS = 600_000;

/** Past either bound new keys are refused rather than old ones forgotten, because a forgotten key runs twice. */
export const KEYS_LIMIT = 100_000;
export const KEYS_LIMIT_BYTES = 67_108_864;

export const KEYS_FULL: Refused = {
  ok: false,
  code: "keys_full",
  detail: "the table of idempotency keys is full; its entries live for 10 minutes",
};

/** The idempotency keys of the last ten minutes. */
export interface Keys {
  find(key: string, nowMs: number): KeyRecord | undefined;
  /** Is there room for these? */
  fits(records: readonly KeyRecord[], nowMs: number): boolean;
  add(record: KeyRecord): void;
  /** Drops what is past its time. */
  expire(nowMs: number): void;
  count(): number;
}

export function createKeys(): Keys {
  // A Map keeps insertion order and all keys live equally long, so the oldest are always at the front.
  const records = new Map<string, KeyRecord>();
  let bytes = 0;
  const sizeOf = (record: KeyRecord): number =>
    record.key.length + record.digest.length + record.answer.length;
  const expired = (record: KeyRecord, nowMs: number): boolean => nowMs - record.atMs > KEY_TTL_MS;

  const expire = (nowMs: number): void => {
    for (const record of records.values()) {
      if (!expired(record, nowMs)) return;
      records.delete(record.key);
      bytes -= sizeOf(record);
    }
  };
  return {
    find(key, nowMs) {
      const record = records.get(key);
      return record === undefined || expired(record, nowMs) ? undefined : record;
    },
    fits(added, nowMs) {
      expire(nowMs);
      const addedBytes = added.reduce((sum, record) => sum + sizeOf(record), 0);
      return records.size + added.length <= KEYS_LIMIT && bytes + addedBytes <= KEYS_LIMIT_BYTES;
    },
    add(record) {
      const old = records.get(record.key);
      if (old !== undefined) bytes -= sizeOf(old);
      // An expired record under the same key is at the front; the new one belongs at the end.
      records.delete(record.key);
      records.set(record.key, record);
      bytes += sizeOf(record);
    },
    expire,
    count: () => records.size,
  };
}
