import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { FAILURE_NETWORKS_MAX } from "../../src/auth/failures.ts";
import { FORWARD_CACHED_MAX, FORWARD_RUNNING_MAX, FORWARD_WAITING_MAX } from "../../src/auth/forward.ts";
import { OPEN_WINDOWS_MAX } from "../../src/backplane/conflate.ts";
import { EPOCHS_LIMIT } from "../../src/backplane/epochs.ts";
import { KEY_TTL_MS, KEYS_LIMIT, KEYS_LIMIT_BYTES } from "../../src/backplane/keys.ts";
import { loadConfig } from "../../src/config/load.ts";
import { configSchema, SETTING_NAMES, type SettingName } from "../../src/config/schema.ts";
import { BATCH_LIMIT_MESSAGES } from "../../src/edge/publish.ts";
import { REPLAYS_LIMIT } from "../../src/hub/replay.ts";
import { KEY_MAX_CHARS } from "../../src/protocol/conflation.ts";
import { FILTER_LIMIT_TYPES } from "../../src/protocol/filter.ts";
import { METADATA_LIMIT_BYTES } from "../../src/protocol/status.ts";
import { blocksOf, examplesOf, README, tableUnder } from "../readme/document.ts";
import { withCurrentParts } from "../readme/generated.ts";

// What the README says of the source must be so. test/wire/readme.test.ts runs its examples.

const root = join(import.meta.dir, "../..");
const markdown = await Bun.file(README).text();
const makefile = await Bun.file(join(root, "Makefile")).text();

describe("the generated parts", () => {
  test("are current (if not: make readme)", () => {
    expect(markdown).toBe(withCurrentParts(markdown));
  });

  test("are noticed when they are missing, doubled or unknown", () => {
    expect(() => withCurrentParts("")).toThrow("settings, close codes");
    expect(() => withCurrentParts(`${markdown}${markdown}`)).toThrow("settings");
    expect(() => withCurrentParts(markdown.replace("generated: settings", "generated: sittings"))).toThrow(
      "sittings",
    );
  });

  test("are written anew when they are old", () => {
    const old = markdown.replace("| `PORT` |", "| `PORTS` |").replace("| 4001 |", "| 4002 |");
    expect(old).not.toBe(markdown);
    expect(withCurrentParts(old)).toBe(markdown);
  });
});

describe("commands", () => {
  test("the two that a newcomer needs stand first", () => {
    expect(examplesOf(markdown)[0]).toEqual({ language: "sh", name: "start", text: "make run\nmake test\n" });
  });

  test("every target of make exists", () => {
    const targets = [...makefile.matchAll(/^([a-z-]+):.*## /gm)].map(([, target]) => target);
    const named = [...markdown.matchAll(/(?:^|`|\w=\S+ )make ([a-z-]+)/gm)].map(([, target]) => target);
    expect(named.length).toBeGreaterThan(10);
    for (const target of named) expect(targets).toContain(target);
  });

  test("every setting given to make run is one, and its value is taken", () => {
    const starts = [...markdown.matchAll(/(?:^|`)((?:[A-Z_]+=\S+ )*)make run(?: ARGS="([^"]*)")?(?:$|`)/gm)];
    expect(starts.length).toBeGreaterThan(3);
    for (const [command, assignments = "", args = ""] of starts) {
      const env = Object.fromEntries(
        assignments
          .trim()
          .split(" ")
          .map((assignment) => assignment.split("=", 2)),
      );
      const given = Object.keys(env).filter((name) => name !== "");
      expect(SETTING_NAMES.filter((name) => given.includes(name))).toHaveLength(given.length);
      const loaded = loadConfig({
        args: args.split(" ").filter((word) => word !== ""),
        env,
        readFile: () => "",
        isTerminal: false,
      });
      expect({ command, ok: loaded.ok }).toEqual({ command, ok: true });
    }
  });

  test("every script that is run with bun exists", async () => {
    const scripts = [...markdown.matchAll(/\bbun (test\/\S+\.ts)/g)].map(([, script = ""]) => script);
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) expect(await Bun.file(join(root, script)).exists()).toBe(true);
  });
});

test("the pages of the client library are the files whose types are checked", async () => {
  const pages = blocksOf(markdown).filter(({ name }) => name.includes("documents"));
  expect(pages).toHaveLength(2);
  for (const { name, text } of pages) {
    expect(text).toBe(await Bun.file(join(root, "test/examples", name)).text());
  }
});

describe("the defaults in the table of guards", () => {
  const defaults = configSchema.parse({});
  const size = (bytes: number): string =>
    bytes < 1_048_576 ? `${bytes / 1024} KiB` : `${bytes / 1_048_576} MiB`;
  const shown = (name: SettingName): string => {
    const value = Number(defaults[name] ?? 0);
    if (value === 0) return "off";
    if (name.includes("BYTES")) return size(value);
    return name.endsWith("_MS") ? `${value / 1000} s` : value.toLocaleString("en");
  };
  const named = tableUnder(markdown, "Guards").flatMap(([, setting = ""]) => [
    ...setting.matchAll(/`([A-Z_]+)`, ([^;]+)/g),
  ]);
  test.each(named.map(([, name = "", value = ""]) => [name, value]))("%s: %s", (name, value) => {
    expect(SETTING_NAMES as string[]).toContain(name);
    expect(value).toBe(shown(name as SettingName));
  });

  test("are many", () => {
    expect(named.length).toBeGreaterThan(8);
  });
});

test("every name in capitals is a setting, or one of these", () => {
  const others = new Set([
    ...[
      "ARGS",
      "HTTP",
      "STAGES",
      "CI",
      "BUN_BE_BUN",
      "BUN_OPTIONS",
      "POST",
      "GET",
      "MIT",
      "FROM",
      "TLS",
      "SIGTERM",
      "SIGINT",
    ],
    ...["WORKER_STATUS", "REGISTER_WORKER", "TRIGGER_", "DASHBOARD_STATS", "DOC_CREATED", "VECTRA_CANARY"],
  ]);
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "");
  const names = [...prose.matchAll(/`([A-Z][A-Z_]{2,})\b/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(40);
  for (const name of names) {
    if (!others.has(name)) expect(SETTING_NAMES as readonly string[]).toContain(name);
  }
});

test("the dependency table has every package, and no other", () => {
  const rows = tableUnder(markdown, "Dependencies").map(([name, when]) => [name?.replaceAll("`", ""), when]);
  expect(Object.fromEntries(rows)).toEqual({
    ...Object.fromEntries(Object.keys(manifest.dependencies).map((name) => [name, "run time"])),
    ...Object.fromEntries(Object.keys(manifest.devDependencies).map((name) => [name, "development"])),
  });
});

describe("bounds", () => {
  const MIB = 1_048_576;
  const number = (value: number): string => value.toLocaleString("en");
  const bounds: Record<string, readonly [row: string, bound: string]> = {
    BATCH_LIMIT_MESSAGES: ["a batch (NDJSON)", `${number(BATCH_LIMIT_MESSAGES)} messages`],
    EPOCHS_LIMIT: ["restarts over which", number(EPOCHS_LIMIT)],
    REPLAYS_LIMIT: ["replays at once", number(REPLAYS_LIMIT)],
    KEY_TTL_MS: ["idempotency keys", `${KEY_TTL_MS / 60_000} minutes`],
    KEYS_LIMIT: ["idempotency keys", `${number(KEYS_LIMIT)} keys`],
    KEYS_LIMIT_BYTES: ["idempotency keys", `${KEYS_LIMIT_BYTES / MIB} MiB`],
    OPEN_WINDOWS_MAX: ["conflation: open windows", number(OPEN_WINDOWS_MAX)],
    FILTER_LIMIT_TYPES: ["`types`", `${FILTER_LIMIT_TYPES} names`],
    FORWARD_RUNNING_MAX: ["questions to", `${number(FORWARD_RUNNING_MAX)} at once`],
    FORWARD_WAITING_MAX: ["questions to", `${number(FORWARD_WAITING_MAX)} that wait`],
    FORWARD_CACHED_MAX: ["questions to", `${number(FORWARD_CACHED_MAX)} remembered`],
    FAILURE_NETWORKS_MAX: ["addresses whose", number(FAILURE_NETWORKS_MAX)],
    METADATA_LIMIT_BYTES: ["a worker's metadata", `${METADATA_LIMIT_BYTES / 1024} KiB`],
  };
  test.each(Object.keys(bounds))("%s is what the table says", (name) => {
    const [row = "", bound = ""] = bounds[name] ?? [];
    const found = tableUnder(markdown, "Bounds").find(([what]) => what?.startsWith(row));
    expect(found?.[1]).toContain(bound);
  });

  test("the longest key of conflation", () => {
    expect(markdown).toContain(`more than ${number(KEY_MAX_CHARS)} characters`);
  });
});

test("every folder of the source is in the layout, and every link leads somewhere", async () => {
  const layout = blocksOf(markdown).find(({ text }) => text.includes("src/main.ts"))?.text ?? "";
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  for (const { name } of folders) expect(layout).toMatch(new RegExp(`\\b${name}\\b`));

  const anchors = [...markdown.matchAll(/^#+ (.*)$/gm)].map(
    ([, heading = ""]) =>
      `#${heading
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-")}`,
  );
  for (const [, target = ""] of markdown.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith("#")) expect(anchors).toContain(target);
    else if (!target.startsWith("https://")) expect(await Bun.file(join(root, target)).exists()).toBe(true);
  }
});
