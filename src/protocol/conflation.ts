import { REGISTER_WORKER, WORKER_STATUS } from "./message.ts";

/** Of the messages of `type` with the same value at the top-level member `key`, one per window (PROTOCOL.md, section 5). */
export interface ConflationRule {
  readonly type: string;
  readonly key: string;
  readonly windowMs: number;
}

/** A window is for the messages with the same one of these. */
export type ConflationKey = string | number;

export type ConflationRules =
  | { readonly ok: true; readonly rules: readonly ConflationRule[] }
  /** `why` goes on after the name of the setting, as in "CONFLATE holds more than 32 rules". */
  | { readonly ok: false; readonly why: string };

const RULES_MAX = 32;
const WINDOW_MIN_MS = 10;
const WINDOW_MAX_MS = 60_000;

const TYPE = /^[A-Za-z0-9_.:-]{1,64}$/;
const KEY = /^[^,:\p{Cc}]{1,64}$/u;
const DIGITS = /^\d{1,5}$/;

/**
 * Reads a list of rules, `type:key:ms,…`. A type may hold colons itself, a key and a window may not: a rule is therefore
 * read from its end, and `a:b:doc_id:100` is about the type `a:b`. White space around a rule is ignored; an empty list
 * holds no rules.
 */
export function parseConflation(list: string): ConflationRules {
  if (list.trim() === "") return { ok: true, rules: [] };
  const texts = list.split(",");
  if (texts.length > RULES_MAX) return { ok: false, why: `holds more than ${RULES_MAX} rules` };

  const rules = new Map<string, ConflationRule>();
  for (const text of texts) {
    const rule = parseRule(text.trim());
    if (typeof rule === "string") return { ok: false, why: rule };
    if (rules.has(rule.type)) return { ok: false, why: `holds two rules for the type ${rule.type}` };
    rules.set(rule.type, rule);
  }
  return { ok: true, rules: [...rules.values()] };
}

/** Writes rules in the form in which they are read. */
export function formatConflation(rules: readonly ConflationRule[]): string {
  return rules.map(({ type, key, windowMs }) => `${type}:${key}:${windowMs}`).join(",");
}

/** @returns the rule, or what is wrong with it */
function parseRule(text: string): ConflationRule | string {
  const wrong = (what: string): string => `holds the rule ${JSON.stringify(text)}, ${what}`;

  const parts = text.split(":");
  const [window, key, ...reversedType] = parts.reverse();
  const type = reversedType.reverse().join(":");
  if (window === undefined || key === undefined || reversedType.length === 0) {
    return wrong("which is not of the form type:key:ms");
  }
  if (!TYPE.test(type)) return wrong("whose type is not 1 to 64 characters of A-Z a-z 0-9 _ . : -");
  if (type === WORKER_STATUS || type === REGISTER_WORKER) return wrong("whose type is the hub's own");
  if (!KEY.test(key) || key !== key.trim()) {
    return wrong("whose key is not 1 to 64 characters without control characters or white space around it");
  }
  const windowMs = DIGITS.test(window) ? Number(window) : 0;
  if (windowMs < WINDOW_MIN_MS || windowMs > WINDOW_MAX_MS) {
    return wrong(`whose window is no whole number of milliseconds from ${WINDOW_MIN_MS} to ${WINDOW_MAX_MS}`);
  }
  return { type, key, windowMs };
}

/** A key is kept as long as its window is open. A message with a longer one counts as uncovered. */
export const KEY_MAX_CHARS = 1_024;

/** @returns what tells the key that a message is covered under; undefined where no rule covers it */
export function createConflationKeys(
  rules: readonly ConflationRule[],
): (type: string | undefined, value: Readonly<Record<string, unknown>>) => ConflationKey | undefined {
  const members = new Map(rules.map(({ type, key }) => [type, key]));
  if (members.size === 0) return () => undefined;
  return (type, value) => {
    const member = type === undefined ? undefined : members.get(type);
    return member === undefined ? undefined : keyOf(value[member]);
  };
}

/**
 * Numbers beyond 2^53 are uncovered: reading JSON has rounded them, and two 64-bit ids would be taken for one (RFC 8259,
 * section 6).
 */
function keyOf(value: unknown): ConflationKey | undefined {
  if (typeof value === "string") return value.length <= KEY_MAX_CHARS ? value : undefined;
  if (typeof value === "number") return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
  return undefined;
}
