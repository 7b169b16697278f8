import type { Received } from "../client/index.ts";
import { messageJson, oneLine } from "../protocol/envelope.ts";
import { printable } from "./terminal.ts";

/** A message as a line for people: cursor, type, message. */
export function humanLine({ id, type, text }: Received): string {
  const shownType = type === undefined ? "-" : /^[\w.:-]+$/.test(type) ? type : "?";
  return `${id}  ${shownType}  ${printable(oneLine(text))}\n`;
}

/** A message as a line for programs: the envelope as it came, and in it the message byte for byte. */
export function jsonLine({ id, text }: Received): string {
  return `${oneLine(messageJson(id, text))}\n`;
}
