import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { asyncapiDocument } from "../../../src/protocol/contract/asyncapi.ts";
import { openapiDocument } from "../../../src/protocol/contract/openapi.ts";
import { blocksOf, README } from "../../readme/document.ts";
import { checkFrame, DEFAULTS } from "../../support/contract.ts";
import { at, sealed } from "../../support/json-document.ts";

// What the README and the protocol's own page show of the wire is what the contract says.

const ajv = addFormats(new Ajv2020({ strict: false }));
const documents = { openapi: openapiDocument(DEFAULTS), asyncapi: asyncapiDocument(DEFAULTS) };
const schemas = Object.entries(documents).flatMap(([id, document]) => {
  ajv.addSchema(sealed(document) as object, id);
  const named = Object.keys(at(document, "components", "schemas"));
  // Anything at all would fit the texts and the objects that are free.
  return named
    .filter((name) => !["Cursor", "IdempotencyKey", "Message", "RawCommand", "StreamMessage"].includes(name))
    .map((name) => ({ name, fits: ajv.compile({ $ref: `${id}#/components/schemas/${name}` }) }));
});

const outputs = blocksOf(await Bun.file(README).text()).filter(({ name }) => name?.startsWith("output of "));
const shown = outputs.flatMap(({ name = "", text }) =>
  text
    .split("\n")
    .map((line) => line.replace(/^data: /, ""))
    .filter((line) => line.startsWith("{"))
    .map((line): [where: string, line: string] => [name, line]),
);

describe("in the README", () => {
  test.each(shown)("%s: %s", (_, line) => {
    const value = JSON.parse(line);
    const isMessage = /^[A-Z_]+$/.test(value.type) && value.type !== "WORKER_STATUS";
    const fitting = schemas.filter(({ fits }) => fits(value)).map(({ name }) => name);
    expect({ line, fitting: isMessage ? ["a message"] : fitting }).toEqual({
      line,
      fitting: expect.arrayContaining([expect.any(String)]),
    });
  });

  test("there is much to compare", () => {
    expect(shown.length).toBeGreaterThan(12);
  });
});

const page = await Bun.file(join(import.meta.dir, "../../../src/protocol/PROTOCOL.md")).text();

describe("in PROTOCOL.md", () => {
  // Frames stand on lines of their own, a worker's with an arrow in front, and a remark behind them.
  const lines = [...page.matchAll(/^ {4}([→←] )?(\{"type".*?\})(?=\s{2,}|$)/gm)];
  const frames = lines.map(([, arrow = "", text = ""]) => [
    arrow.trim(),
    text.replaceAll('"…"', '"a-1"').replaceAll("<cursor>", "a-1").replaceAll("{…}", "{}"),
  ]);

  test.each(frames)("%s %s", (arrow = "", text = "") => {
    // What stands for a status in short.
    const frame = text.replaceAll('"worker":{}', '"worker":{"status":"offline","metadata":null}');
    const check = (): void => {
      if (arrow === "→") checkFrame("streamWorker", frame, "receives");
      else if (frame.includes("WORKER_STATUS")) checkFrame("rawClient", frame);
      else checkFrame(arrow === "←" ? "streamWorker" : "streamClient", frame);
    };
    expect(check).not.toThrow();
  });

  test("there is much to compare", () => {
    expect(frames.length).toBeGreaterThan(11);
  });
});
