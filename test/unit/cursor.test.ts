import { expect, test } from "bun:test";
import { formatCursor, parseCursor } from "../../src/protocol/cursor.ts";

// PROTOCOL.md, section 0: to everybody but the hub a cursor is opaque, and of this form.

const FORM = /^[0-9A-Za-z._:-]{1,64}$/;

test.each([
  ["00000000", 0],
  ["1f0c9a7e", 1],
  ["ffffffff", 999_999_999_999_999],
])("what is written is read again: %s and %d", (epoch, offset) => {
  const text = formatCursor({ epoch, offset });
  expect(text).toMatch(FORM);
  expect(parseCursor(text)).toEqual({ epoch, offset });
});

test.each([
  ["nothing", ""],
  ["earliest", "earliest"],
  ["no offset", "1f0c9a7e-"],
  ["no epoch", "-12"],
  ["no dash", "1f0c9a7e12"],
  ["a short epoch", "1f0c9a7-1"],
  ["a long epoch", "1f0c9a7e0-1"],
  ["an epoch in capitals", "1F0C9A7E-1"],
  ["an epoch that is not hex", "1g0c9a7e-1"],
  ["a negative offset", "1f0c9a7e--1"],
  ["a sign", "1f0c9a7e-+1"],
  ["a fraction", "1f0c9a7e-1.0"],
  ["an exponent", "1f0c9a7e-1e3"],
  ["hex digits in the offset", "1f0c9a7e-0x1"],
  ["an offset too long to be exact", "1f0c9a7e-1000000000000000"],
  ["digits of another script", "1f0c9a7e-١"],
  ["white space before", " 1f0c9a7e-1"],
  ["white space behind", "1f0c9a7e-1 "],
  ["a line end behind", "1f0c9a7e-1\n"],
  ["another line", "1f0c9a7e-1\n1f0c9a7e-2"],
  ["a list", "1f0c9a7e-1,1f0c9a7e-2"],
  ["a Redis id", "1700000000000-0"],
  ["a megabyte", "1".repeat(1_000_000)],
])("what was never given out is not read: %s", (_what, text) => {
  expect(parseCursor(text)).toBeUndefined();
});
