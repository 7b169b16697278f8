import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SECRET } from "../support/hub.ts";
import type { Case, Step } from "./case.ts";
import type { Named } from "./run/session.ts";

// The cases that are kept: what once broke the hub, or would break one that is built on Bun without care.

const FOLDER = join(import.meta.dir, "corpus");
/** Stands for the worker's secret in a kept text. */
const SECRET_NAME = "{secret}";

const stepSchema = z.union([
  z.strictObject({ text: z.string(), times: z.int().min(1).max(1_100_000).optional() }),
  z.strictObject({ base64: z.base64(), times: z.int().min(1).max(1_100_000).optional() }),
  z.strictObject({ wait: z.enum(["turn", "head", "bytes"]) }),
]);

/** One file of the corpus. `text` is written as UTF-8, `{secret}` in it is the worker's; `times` repeats it in one write. */
export const entrySchema = z.strictObject({
  name: z.string().min(1),
  why: z.string().min(1),
  steps: z.array(stepSchema).min(1),
  end: z.enum(["fin", "reset", "hold", "stall"]),
  /** With which status the first answer must come. */
  expected: z.array(z.int()).optional(),
});

export type Entry = z.infer<typeof entrySchema>;

/** The kept cases in the order of their files. @throws Error that names a file which is none */
export function readCorpus(folder = FOLDER): Named[] {
  return [...new Bun.Glob("*.json").scanSync({ cwd: folder })].sort().map((file) => {
    try {
      const entry = entrySchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
      return { name: entry.name, one: fromEntry(entry) };
    } catch (error) {
      throw new Error(`test/fuzz/corpus/${file}: ${error instanceof Error ? error.message : error}`);
    }
  });
}

function fromEntry({ steps, end, expected }: Entry): Case {
  const read = (step: Entry["steps"][number]): Step => {
    if ("wait" in step) return step;
    const bytes =
      "text" in step
        ? Buffer.from(step.text.replaceAll(SECRET_NAME, SECRET))
        : Buffer.from(step.base64, "base64");
    return { write: Buffer.concat(Array.from({ length: step.times ?? 1 }, () => bytes)) };
  };
  return { kind: "corpus", steps: steps.map(read), end, ...(expected === undefined ? {} : { expected }) };
}

/** A case in the form of the corpus: readable where it is text. */
export function toEntry(name: string, why: string, { steps, end, expected }: Case): Entry {
  const write = (step: Step): Entry["steps"][number] => {
    if ("wait" in step) return step;
    const bytes = Buffer.from(step.write);
    const text = bytes.toString();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is no readable text.
    const isReadable = Buffer.from(text).equals(bytes) && !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text);
    return isReadable ? { text: text.replaceAll(SECRET, SECRET_NAME) } : { base64: bytes.toString("base64") };
  };
  return {
    name,
    why,
    steps: steps.map(write),
    end,
    ...(expected === undefined ? {} : { expected: [...expected] }),
  };
}
