import type { Key, NewMessage, Published, Receipt, Receivers } from "./backplane.ts";
import type { NewKey, Outcome } from "./ledger.ts";

/** How many connections a message of this type goes to at the moment. */
export type CountReceivers = (type: string | undefined) => Receivers;

/** Those of the message that reaches most. */
export function receiversOf(messages: readonly NewMessage[], receivers: CountReceivers): Receivers {
  return messages.map(({ type }) => receivers(type)).reduce(larger);
}

export function newKey({ key, digest }: Key, at: Iterable<number>, receivers: Receivers): NewKey {
  return { key, digest, at: [...at], receivers };
}

export function resultOf(outcome: Outcome, receivers: Receivers): Published {
  if (!outcome.ok) return outcome;
  if ("answer" in outcome) return JSON.parse(outcome.answer) as Receipt;
  return { ok: true, ids: outcome.cursors, receivers };
}

export function cursorOf(outcome: Extract<Outcome, { ok: true }>): string | undefined {
  return "answer" in outcome ? (JSON.parse(outcome.answer) as Receipt).ids[0] : outcome.cursors[0];
}

export function larger(a: Receivers, b: Receivers): Receivers {
  return a.websocket + a.sse >= b.websocket + b.sse ? a : b;
}
