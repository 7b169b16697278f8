import { expect, test } from "bun:test";
import { join } from "node:path";
import { HUB_COMMAND } from "../support/hub.ts";
import { caseOf } from "./case.ts";
import { entrySchema, readCorpus, toEntry } from "./corpus.ts";
import { newSeed } from "./options.ts";

// A minute of fuzzing the hub under test, and the tests of the fuzzer itself. FUZZ_SEED repeats a run.

const SEED = Number(process.env["FUZZ_SEED"] ?? newSeed());
const FUZZ_SECONDS = 60;
/** For the minute itself, on a slow machine, and for finding the cases to blame. */
const RUN_LIMIT_MS = 300_000;

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs the fuzzer as its users do, from the root, with its command line. */
async function fuzz(args: readonly string[], hub: readonly string[] = HUB_COMMAND): Promise<Ended> {
  const words = [process.execPath, join(import.meta.dir, "main.ts"), "--hub", JSON.stringify(hub), ...args];
  const child = Bun.spawn(words, { cwd: join(import.meta.dir, "../.."), stdout: "pipe", stderr: "pipe" });
  try {
    const [code, ...texts] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    return { code, output: texts.join("") };
  } finally {
    child.kill("SIGTERM");
  }
}

test(
  `${FUZZ_SECONDS} seconds of fuzzing break nothing (seed ${SEED})`,
  async () => {
    const { code, output } = await fuzz(["--seed", String(SEED), "--seconds", String(FUZZ_SECONDS)]);
    // In the report only where it failed: the output says what, and how to see it again.
    expect(code === 0 ? "" : output).toBe("");
    const cases = Number(/(\d+) cases/.exec(output.trimEnd().split("\n").at(-1) ?? "")?.[1]);
    expect(cases).toBeGreaterThan(500);
  },
  RUN_LIMIT_MS,
);

test("what broke once breaks no more: the corpus", async () => {
  const { code, output } = await fuzz(["--corpus"]);
  expect(code === 0 ? "" : output).toBe("");
  expect(output).toContain(`${readCorpus().length} kept cases`);
}, 120_000);

test("the corpus is read whole, and each entry has a name of its own", () => {
  const corpus = readCorpus();
  expect(corpus.length).toBeGreaterThan(30);
  expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
});

test("a case written in the form of the corpus is the same case", () => {
  for (let number = 0; number < 100; number += 1) {
    const one = caseOf(11, number);
    const entry = entrySchema.parse(JSON.parse(JSON.stringify(toEntry("x", "y", one))));
    expect(entry.steps).toHaveLength(one.steps.length);
    expect(toEntry("x", "y", caseOf(11, number))).toEqual(entry);
  }
});

test("the same seed and number give the same case, others another", () => {
  const texts = (seed: number, from: number): string[] =>
    Array.from({ length: 300 }, (_, at) => JSON.stringify(toEntry("", "", caseOf(seed, from + at))));
  const first = texts(7, 0);
  expect(texts(7, 0)).toEqual(first);
  // In any order: no case depends on those before it.
  expect(texts(7, 100).slice(0, 200)).toEqual(first.slice(100));
  const others = new Set(texts(8, 0));
  expect(first.filter((text) => others.has(text)).length).toBeLessThan(20);
});

test("every kind of case comes up", () => {
  const kinds = new Set(Array.from({ length: 5_000 }, (_, number) => caseOf(SEED, number).kind));
  expect([...kinds].sort()).toEqual([
    ...["churn", "command", "events", "frames", "handshake", "publish", "read", "worker"],
  ]);
});

const brokenHub = (fault: string): string[] => [
  process.execPath,
  join(import.meta.dir, "broken-hub.ts"),
  fault,
];

/** What is wrong stays so: there is no need to wait long for it to become right. */
const SOON = ["--settle-ms", "3000"];

/** What the fuzzer must say of a hub that has this fault. */
const SAID: Readonly<Record<string, RegExp>> = {
  dies: /the hub has ended with 137/,
  logs: /a line that is no log line: error: Uncaught/,
  fails: /an answer that says fault: "HTTP\/1\.1 500 /,
  loses: /the (?:stream|raw) witness: .+ after /,
  repeats: /the (?:stream|raw) witness: .+ after /,
  forgets: /connections that are gone: not within .+ the hub counts /,
};

test.each(Object.keys(SAID))(
  "a hub that %s is found out, and the replay shows it again",
  async (fault) => {
    const found = await fuzz(["--seed", "5", "--seconds", "60", ...SOON], brokenHub(fault));
    expect(found.output).toMatch(SAID[fault] as RegExp);
    expect(found.code).toBe(1);
    const replayed = /main\.ts (--seed 5 (?:--from \d+ )?--case \d+) --hub/.exec(found.output)?.[1];
    if (replayed === undefined) throw new Error(`no line to replay in: ${found.output}`);
    // A case that ends with a reset can be over before the hub has read what brings the fault out.
    let again = await fuzz([...replayed.split(" "), ...SOON], brokenHub(fault));
    for (let more = 0; more < 2 && again.code === 0; more += 1) {
      again = await fuzz([...replayed.split(" "), ...SOON], brokenHub(fault));
    }
    expect(again.output).toContain("FAILED");
    expect(again.code).toBe(1);
    // It is the fault that is found, and not the way in which it was built in.
    expect(await fuzz(replayed.split(" "), brokenHub("none"))).toMatchObject({ code: 0 });
  },
  RUN_LIMIT_MS,
);

test.skipIf(process.platform !== "linux")(
  "a hub whose connections each leave half a megabyte behind is found out",
  async () => {
    const { code, output } = await fuzz(["--seed", "5", "--seconds", "120", ...SOON], brokenHub("leaks"));
    expect(output).toMatch(/memory is at \d+ MiB, from \d+ MiB/);
    expect(output).toContain("--seed 5 --seconds 120");
    expect(code).toBe(1);
  },
  RUN_LIMIT_MS,
);

test.each([
  [["--seed", "x"], "--seed x: must be a whole number"],
  [["--seconds", "0"], "--seconds must be at least 1"],
  [["--seconds", "-1"], "--seconds"],
  [["--case", "3"], "--case needs --seed"],
  [["--seed", "1", "--from", "3"], "--from needs --case"],
  [["--seed", "1", "--from", "3", "--case", "2"], "--from 3 is behind --case 2"],
  [["--show"], "--show needs --case"],
  [["--corpus", "--seconds", "5"], "--seconds is for whole runs"],
  [["--settle-ms", "soon"], "--settle-ms soon: must be"],
  [["--hub", "dist/vectra-hub"], "--hub is not JSON"],
  [["--hub", "[]"], "--hub must be a JSON array"],
  [["--nonsense"], "--nonsense"],
  [["stray"], "stray"],
])("a command line that makes no sense: %j", async (args, why) => {
  const { code, output } = await fuzz(args);
  expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining(why) });
  expect(output).toContain("--help");
});

test("--help lists the options, --show prints a case", async () => {
  const help = await fuzz(["--help"]);
  expect(help.code).toBe(0);
  for (const flag of ["--seed", "--seconds", "--hub", "--case", "--from", "--show", "--corpus"]) {
    expect(help.output).toContain(flag);
  }
  const shown = await fuzz(["--seed", "3", "--case", "4", "--show"]);
  expect(shown.code).toBe(0);
  expect(JSON.parse(shown.output)).toEqual(
    JSON.parse(JSON.stringify(toEntry("3-4", caseOf(3, 4).kind, caseOf(3, 4)))),
  );
});
