import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

// The documents are put together when somebody asks. Until then the hub does not load what they are made of.

const root = join(import.meta.dir, "../../..");
const transpiler = new Bun.Transpiler({ loader: "ts" });

/** The files that are loaded at once with this one; imports of types and `import()` load nothing. */
async function loadedWith(entry: string): Promise<ReadonlySet<string>> {
  const found = new Set([entry]);
  // A set hands out what is added while it is walked.
  for (const path of found) {
    if (!path.endsWith(".ts")) continue;
    for (const { kind, path: target } of transpiler.scanImports(await Bun.file(path).text())) {
      if (kind === "import-statement" && target.startsWith(".")) found.add(join(dirname(path), target));
    }
  }
  return found;
}

test("a start loads nothing of the contract", async () => {
  const loaded = [...(await loadedWith(join(root, "src/main.ts")))].map((path) => relative(root, path));
  expect(loaded).toContain("src/edge/contract.ts");
  expect(loaded).toContain("src/protocol/close.ts");
  expect(loaded.filter((path) => path.startsWith("src/protocol/contract/"))).toEqual([]);
});

test("what /openapi.json needs is found where it is asked for", async () => {
  const loaded = await loadedWith(join(root, "src/protocol/contract/openapi.ts"));
  expect(loaded.size).toBeGreaterThan(10);
});
