import { describe, expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";
import manifest from "../../package.json" with { type: "json" };

// Data flows one way, edge → auth → hub → backplane, with the protocol below all. What holds this up is checked here.

const root = join(import.meta.dir, "../..");
const COMMON = ["config", "observe", "runtime", "version"];

/** What each folder of src, or file beside them, may import beside its own files. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli", ...COMMON],
  cli: ["app", "edge", "bridge", "auth", "hub", "backplane", "client", "protocol", ...COMMON],
  app: ["threads", "edge", "bridge", "auth", "hub", "backplane", "protocol", ...COMMON],
  thread: ["threads", ...COMMON],
  threads: ["edge", "bridge", "auth", "hub", "backplane", "protocol", ...COMMON],
  edge: ["console", "auth", "hub", "backplane", "protocol", ...COMMON],
  bridge: ["hub", "protocol", ...COMMON],
  auth: ["hub", "backplane", "protocol", ...COMMON],
  hub: ["backplane", "protocol", ...COMMON],
  backplane: ["protocol", ...COMMON],
  // Both run in browsers, too.
  console: ["client", "protocol"],
  client: ["protocol"],
  config: ["protocol", "observe", "runtime", "version"],
  observe: ["runtime", "version"],
  runtime: [],
  version: [],
  protocol: [],
};

interface Source {
  /** From the root, e.g. `src/hub/hub.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text without comments and types. */
  readonly code: string;
  /** As they are written. */
  readonly imports: readonly string[];
}

async function read(path: string): Promise<Source> {
  const text = await Bun.file(join(root, path)).text();
  return {
    path,
    text,
    code: new Bun.Transpiler({ loader: "ts", target: "bun" }).transformSync(text),
    imports: importsOf(text),
  };
}

/** Types as well: a layer that names another's types depends on it. */
function importsOf(text: string): string[] {
  const statements = text.matchAll(/(?:^|\s)(?:from|import|import\()\s*"([^"]+)"/g);
  return [...statements].map(([, target = ""]) => target);
}

const sources = await Promise.all(
  [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].toSorted().map(read),
);

/** `src/hub/hub.ts` → `hub`, `src/app.ts` → `app`; undefined outside of src. */
function layerOf(path: string): string | undefined {
  return /^src\/([a-z]+)(?:\/|\.ts$)/.exec(path)?.[1];
}

/** The places, in `path: what` form, at which a pattern stands in the code of files and folders that are not excepted. */
function places(pattern: RegExp, except: readonly string[]): string[] {
  return sources
    .filter(({ path }) => !except.some((start) => path.startsWith(start)))
    .flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([found]) => `${path}: ${found}`));
}

test("all imports are seen", () => {
  const seen = importsOf(`
    import a from "./a.ts";
    import { b, type C } from "./b.ts";
    import type { D } from "./d.ts";
    import {
      e,
    } from "./e.ts";
    import "./f.ts";
    export { g } from "./g.ts";
    const h = await import("./h.ts");
    import i from "./i.json" with { type: "json" };
    import * as j from "./j.ts";`);
  expect(seen).toEqual(
    ["a.ts", "b.ts", "d.ts", "e.ts", "f.ts", "g.ts", "h.ts", "i.json", "j.ts"].map((name) => `./${name}`),
  );
  expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
});

describe("imports go one way", () => {
  const layers = [...new Set(sources.map(({ path }) => layerOf(path) ?? path))];

  test("every folder has its place", () => {
    expect(layers.filter((layer) => MAY_IMPORT[layer] === undefined)).toEqual([]);
  });

  test.each(layers)("%s imports only what is below it", (layer) => {
    const wrong = sources
      .filter(({ path }) => layerOf(path) === layer)
      .flatMap(({ path, imports }) =>
        imports
          .filter((target) => target.startsWith("."))
          .map((target) => ({ path, target: normalize(join(dirname(path), target)) })),
      )
      .filter(({ target }) => target !== "package.json")
      .filter(({ target }) => {
        const below = layerOf(target);
        return below !== layer && (below === undefined || !MAY_IMPORT[layer]?.includes(below));
      })
      .map(({ path, target }) => `${path} imports ${target}`);
    expect(wrong).toEqual([]);
  });

  test("the table itself has no way back up", () => {
    const reaches = (from: string, seen: readonly string[] = []): void => {
      expect(seen).not.toContain(from);
      for (const below of MAY_IMPORT[from] ?? []) reaches(below, [...seen, from]);
    };
    for (const layer of Object.keys(MAY_IMPORT)) reaches(layer);
  });
});

test("at run time there is Bun, Node's library, and what package.json names", () => {
  const packages = sources.flatMap(({ imports }) =>
    imports.filter((target) => !/^(\.|node:|bun$|bun:)/.test(target)),
  );
  expect([...new Set(packages)].toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
});

test("Bun's own types stay in the edge and where the hub is put together, Redis and SQLite in the backplane", () => {
  const allowed = new Map([
    ["bun", ["edge", "app", "backplane", "threads"]],
    ["bun:sqlite", ["backplane"]],
  ]);
  for (const { path, imports } of sources) {
    for (const target of imports.filter((name) => name.startsWith("bun"))) {
      expect({ path, target, layers: allowed.get(target) }).toEqual({
        ...{ path, target },
        layers: expect.arrayContaining([layerOf(path)]),
      });
    }
  }
});

describe("the world is touched in one place:", () => {
  test("arguments, environment and exit by main.ts", () => {
    const pattern = /process\.(argv|env|exit|exitCode|abort|kill)\b|Bun\.(env|argv)\b|import\.meta\.env\b/g;
    expect(places(pattern, ["src/main.ts"])).toEqual([]);
  });

  test("clocks, timers and chance by runtime.ts", () => {
    const pattern =
      /\bDate\.now|\bnew Date\(\)|performance\.now|\b(set|clear)(Timeout|Interval|Immediate)\b|Math\.random|getRandomValues|randomUUID|randomBytes|Bun\.(sleep|nanoseconds)/g;
    // The client runs in browsers, too, and has one of its own; the console runs only there.
    const except = ["src/runtime.ts", "src/client/runtime.ts", "src/console/runtime.ts"];
    expect(places(pattern, except)).toEqual([]);
  });

  test("the terminal by the command line and the log", () => {
    const except = ["src/main.ts", "src/runtime.ts", "src/cli/"];
    expect(places(/\bconsole\.\w+|process\.std(in|out|err)\b/g, except)).toEqual([]);
  });
});

test("no file has more than 300 lines", async () => {
  const long: string[] = [];
  for (const path of new Bun.Glob("{src,test}/**/*.{ts,py,css,html}").scanSync({ cwd: root })) {
    const lines = (await Bun.file(join(root, path)).text()).split("\n").length - 1;
    if (lines > 300) long.push(`${path}: ${lines}`);
  }
  expect(long).toEqual([]);
});
