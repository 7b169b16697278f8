/** A cursor read: the epoch in which it was given out, and its offset in the stream. */
export interface Cursor {
  readonly epoch: string;
  readonly offset: number;
}

/** `since=earliest` asks for everything that is held (PROTOCOL.md, section 3). */
export const EARLIEST = "earliest";

const FORM = /^([0-9a-f]{8})-(\d{1,15})$/;

/** The text of a cursor. To everybody but the hub it is opaque. */
export function formatCursor({ epoch, offset }: Cursor): string {
  return `${epoch}-${offset}`;
}

/** @returns undefined for a text that this hub has never given out */
export function parseCursor(text: string): Cursor | undefined {
  const match = FORM.exec(text);
  return match === null ? undefined : { epoch: match[1] as string, offset: Number(match[2]) };
}
