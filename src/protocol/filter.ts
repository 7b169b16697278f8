import { CANARY, WORKER_STATUS } from "./message.ts";

/** The types that a client asked for; undefined asks for all. `WORKER_STATUS` is always among them. */
export type TypeFilter = ReadonlySet<string> | undefined;

/** PROTOCOL.md, section 2. */
export const FILTER_LIMIT_TYPES = 32;
const TYPE_NAME = /^[A-Za-z0-9_.:-]{1,64}$/;

export type ReadFilter =
  | { readonly ok: true; readonly types: TypeFilter }
  | { readonly ok: false; readonly why: string };

/** Reads `?types=A,B`. A malformed list is refused, because a client that believes it filters must not be left wrong. */
export function readFilter(list: string | null): ReadFilter {
  if (list === null) return { ok: true, types: undefined };
  const names = list.split(",");
  if (names.length > FILTER_LIMIT_TYPES)
    return { ok: false, why: `types holds more than ${FILTER_LIMIT_TYPES} names` };
  if (!names.every((name) => TYPE_NAME.test(name))) {
    return { ok: false, why: "each of types must be 1 to 64 characters of A-Z a-z 0-9 _ . : -" };
  }
  return { ok: true, types: new Set([...names, WORKER_STATUS]) };
}

/** Can anybody filter for this type at all? */
export function isFilterable(type: string | undefined): type is string {
  return type !== undefined && TYPE_NAME.test(type);
}

export function passes(types: TypeFilter, type: string | undefined): boolean {
  return types === undefined ? type !== CANARY : type !== undefined && types.has(type);
}
