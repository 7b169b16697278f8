import { expect, test } from "bun:test";
import { createHandover } from "../../../src/bridge/handover.ts";

function begin(heldLimitBytes = 100) {
  const published: string[] = [];
  const handover = createHandover<string>({
    publish: (item) => published.push(item),
    sizeOf: (item) => item.length,
    heldLimitBytes,
    done: () => published.push("done"),
  });
  return { handover, published };
}

test("the old connection counts up to the marker, the new one from there on, whichever is ahead", () => {
  const { handover, published } = begin();
  handover.fromNew("1");
  handover.markerOnNew();
  handover.fromNew("2");
  handover.fromOld("1");
  handover.fromNew("3");
  expect(published).toEqual(["1"]);
  handover.markerOnOld();
  handover.fromOld("2");
  expect(published).toEqual(["1", "2", "3", "done"]);

  const other = begin();
  other.handover.fromOld("1");
  other.handover.markerOnOld();
  other.handover.fromOld("2");
  other.handover.fromNew("1");
  expect(other.published).toEqual(["1"]);
  other.handover.markerOnNew();
  expect(other.published).toEqual(["1", "done"]);
});

test("what is held back is bounded: past that, the old connection is not waited for", () => {
  const { handover, published } = begin(10);
  handover.markerOnNew();
  for (const item of ["12345", "67890"]) handover.fromNew(item);
  expect(published).toEqual([]);
  handover.fromNew("x");
  expect(published).toEqual(["12345", "67890", "x", "done"]);
  handover.fromOld("12345");
  handover.markerOnOld();
  handover.finish();
  expect(published).toEqual(["12345", "67890", "x", "done"]);
});
