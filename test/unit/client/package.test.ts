import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createFolder } from "../../support/folder.ts";

// What leaves the project as `vectra-hub/client`: no dependency, small, nothing touched by the import, and examples that hold.

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../../..");
const SIZE_LIMIT_BYTES = 9_216;
let script = "";

beforeAll(async () => {
  const { outputs } = await Bun.build({
    entrypoints: [join(root, "src/client/index.ts")],
    target: "browser",
    format: "esm",
    minify: true,
    // Any package that it imports would stay an import.
    packages: "external",
  });
  script = (await outputs[0]?.text()) ?? "";
});

test("it imports nothing, and is small", () => {
  const { imports, exports } = new Bun.Transpiler({ loader: "js" }).scan(script);
  expect(imports).toEqual([]);
  expect(exports.toSorted()).toEqual(["HubError", "connect", "connectWorker"]);
  expect(Bun.gzipSync(script).byteLength).toBeLessThan(SIZE_LIMIT_BYTES);
});

test("Node can import it, also without a WebSocket", async () => {
  await using folder = await createFolder();
  await Bun.write(folder.file("client.mjs"), script);
  await Bun.write(
    folder.file("run.mjs"),
    `const before = Object.keys(globalThis).length;
     const { connect, connectWorker, HubError } = await import("./client.mjs");
     const connection = connect("http://127.0.0.1:1", { onMessage() {} });
     connection.close();
     console.log(Object.keys(globalThis).length - before, await connection.closed, new HubError("closed", "x").code);`,
  );
  const node = Bun.spawn(["node", folder.file("run.mjs")], { stdout: "pipe", stderr: "inherit" });
  expect(await node.stdout.text()).toBe("0 undefined closed\n");
  expect(await node.exited).toBe(0);
});

test("whoever installs it gets its types by its name, without Bun's", async () => {
  await using folder = await createFolder();
  const home = "node_modules/vectra-hub";
  const types = await tsc("-p", "src/client", "--outDir", folder.file(`${home}/types`));
  expect(types).toEqual({ output: "", exitCode: 0 });
  const exports = { "./client": { types: "./types/client/index.d.ts", default: "./index.js" } };
  await Bun.write(folder.file(`${home}/package.json`), JSON.stringify({ type: "module", exports }));
  await Bun.write(folder.file(`${home}/index.js`), script);
  await Bun.write(folder.file("package.json"), '{"type":"module"}');
  await Bun.write(
    folder.file("use.ts"),
    `import { connect, connectWorker } from "vectra-hub/client";
     const connection = connect<{ n: number }>("http://hub", { types: ["A"] });
     for await (const { data } of connection) data.n satisfies number;
     connectWorker("http://hub", { secret: "s" }).publish({ n: 1 }) satisfies Promise<string>;
     // @ts-expect-error: there is no such option
     connect("http://hub", { tpyes: ["A"] });`,
  );
  const compilerOptions = {
    ...{
      strict: true,
      noEmit: true,
      module: "nodenext",
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
    },
  };
  await Bun.write(folder.file("tsconfig.json"), JSON.stringify({ compilerOptions, include: ["use.ts"] }));
  expect(await tsc("-p", folder.path)).toEqual({ output: "", exitCode: 0 });
});

test("the Vue and the React example type-check against it", async () => {
  expect(await tsc("-p", "test/examples")).toEqual({ output: "", exitCode: 0 });
});

async function tsc(...args: string[]): Promise<{ output: string; exitCode: number }> {
  const child = Bun.spawn([process.execPath, "x", "tsc", "--pretty", "false", ...args], {
    cwd: root,
    stdout: "pipe",
    stderr: "inherit",
  });
  return { output: await child.stdout.text(), exitCode: await child.exited };
}
