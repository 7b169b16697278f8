import { type Exclusions, NOT_ON_REDIS, NOT_WITH_THREADS, withoutExcluded } from "./selections.ts";

/** One step of `make test`. It either runs commands, each counting as one test, or the test files of one folder. */
export interface Stage {
  name: string;
  commands?: { title: string; command: string[] }[];
  folder?: string;
  /** What of the folder is left out, and why. */
  without?: Exclusions;
  /** What the tests start as the hub, as JSON in HUB_COMMAND. */
  hub?: string[];
  /** Settings of every hub that the tests start, as JSON in HUB_ENV. */
  hubEnv?: Record<string, string>;
  /** How many hubs on one Redis stand in the place of each hub, in HUB_CLUSTER. */
  hubs?: number;
  /** Whether the compiled binary has to be there. */
  needsBuild?: boolean;
}

const root = `${import.meta.dir}/../..`;
const binary = [`${root}/dist/vectra-hub`];
// Without MAKEFLAGS: what was said to an outer make is not meant for this one.
const makeBuild = ["env", "-u", "MAKEFLAGS", "make", "--no-print-directory", "build"];
const script = (name: string): string[] => [process.execPath, "run", "--silent", name];

/** In the order in which they begin. The longest come first, so that none of them is left over at the end. */
export const STAGES: Stage[] = [
  {
    name: "check",
    commands: [
      { title: "lint and formatting", command: script("lint") },
      { title: "types", command: script("typecheck") },
      { title: "no floating promises", command: script("promises") },
    ],
  },
  { name: "build", commands: [{ title: "make build", command: makeBuild }] },
  { name: "unit", folder: "test/unit" },
  { name: "wire-source", folder: "test/wire", hub: [process.execPath, `${root}/src/main.ts`] },
  { name: "wire-binary", folder: "test/wire", hub: binary, needsBuild: true },
  {
    name: "wire-threads",
    folder: "test/wire",
    without: NOT_WITH_THREADS,
    hub: binary,
    hubEnv: { THREADS: "3" },
    needsBuild: true,
  },
  { name: "wire-redis", folder: "test/wire", without: NOT_ON_REDIS, hub: binary, hubs: 2, needsBuild: true },
  { name: "soak", folder: "test/soak", hub: binary, needsBuild: true },
  { name: "fault", folder: "test/fault", hub: binary, needsBuild: true },
  { name: "redis", folder: "test/redis" },
  { name: "fuzz", folder: "test/fuzz", hub: binary, needsBuild: true },
  { name: "browser", folder: "test/browser", hub: binary, needsBuild: true },
  // Not the benchmarks: that their load generator counts right.
  { name: "bench", folder: "test/bench" },
  { name: "image", folder: "test/image", needsBuild: true },
];

/**
 * The stages that the words on the command line ask for: all without any; `wire` stands for all wire stages; the build
 * comes along where a stage needs it.
 * @throws Error that names the stages when a word is none of them.
 */
export function chosenStages(words: string[]): Stage[] {
  if (words.length === 0) return STAGES;
  const asked = (stage: Stage): boolean => words.some((word) => isMeant(word, stage));
  const unknown = words.filter((word) => !STAGES.some((stage) => isMeant(word, stage)));
  if (unknown.length > 0) {
    throw new Error(
      `no such stage: ${unknown.join(" ")} (there are ${STAGES.map(({ name }) => name).join(" ")})`,
    );
  }
  const needsBuild = STAGES.some((stage) => asked(stage) && stage.needsBuild);
  return STAGES.filter((stage) => asked(stage) || (needsBuild && stage.name === "build"));
}

function isMeant(word: string, stage: Stage): boolean {
  return stage.name === word || stage.name.startsWith(`${word}-`);
}

/** The test files of a stage, as paths from the root. */
export function testFiles({ folder, without = {} }: Stage): string[] {
  if (folder === undefined) return [];
  const files = [...new Bun.Glob(`${folder}/**/*.test.ts`).scanSync({ cwd: root })].sort();
  return withoutExcluded(files, without);
}

/** What the tests of a stage are told of the hub that they are about. */
export function testEnv({ hub, hubEnv, hubs }: Stage): Record<string, string> {
  return {
    ...(hub === undefined ? {} : { HUB_COMMAND: JSON.stringify(hub) }),
    ...(hubEnv === undefined ? {} : { HUB_ENV: JSON.stringify(hubEnv) }),
    ...(hubs === undefined ? {} : { HUB_CLUSTER: String(hubs) }),
  };
}
