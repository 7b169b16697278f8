import { describe, expect, test } from "bun:test";
import { onlyLine, runCli } from "../../support/cli.ts";

// The command table: its help, its dispatch, and what a mistake is answered with.

const COMMANDS = [
  "serve",
  "healthcheck",
  "tail",
  "publish",
  "worker status",
  "worker send",
  "demo",
  "config",
  "version",
];
const words = (command: string): string[] => command.split(" ");

describe("help", () => {
  test("lists every command, and the settings", async () => {
    const { exitCode, stdout, stderr } = await runCli(["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} {2,}\\w`, "m"));
    expect(stdout).toContain("--worker-timeout-ms");
    expect((await runCli(["help"])).stdout).toBe(stdout);
  });

  test.each(COMMANDS)("%s has a page, in each way of asking", async (command) => {
    const page = await runCli([...words(command), "--help"]);
    expect(page).toMatchObject({ exitCode: 0, stderr: "" });
    expect(page.stdout).toStartWith(`Usage: vectra-hub ${command}`);
    expect(page.stdout).toMatch(/^Exit codes:\n {2}0 /m);
    for (const args of [
      ["help", ...words(command)],
      [...words(command), "-h"],
    ])
      expect(await runCli(args)).toEqual(page);
  });

  test("of a word that stands for several commands has the pages of them all", async () => {
    const { exitCode, stdout } = await runCli(["worker", "--help"]);
    expect(exitCode).toBe(0);
    for (const command of ["worker status", "worker send"])
      expect(stdout).toContain(`Usage: vectra-hub ${command}`);
  });

  test("wins over a mistake beside it, and is a message behind --", async () => {
    expect((await runCli(["tail", "--no-such-flag", "--help"])).exitCode).toBe(0);
    expect(onlyLine(await runCli(["publish", "--", "--help"]), 2)).toContain("argument 1");
  });
});

describe("a mistake is one line and exit code 2:", () => {
  const mistakes: Record<string, readonly [args: readonly string[], named: string]> = {
    "an unknown command": [["server"], "server"],
    "an unknown command with a known flag": [["server", "--port", "1"], "server"],
    "half a command": [["worker"], "worker status or worker send"],
    "a wrong other half": [["worker", "kill"], "worker status or worker send"],
    "an unknown flag": [["tail", "--typess", "A"], "--typess"],
    "an unknown flag with a value": [["tail", "--typess=A"], "--typess"],
    "a flag without its value": [["tail", "--types"], "--types"],
    "a flag with an empty value": [["tail", "--types="], "--types"],
    "a switch with a value": [["tail", "--json=yes"], "--json"],
    "a word too many": [["tail", "DOC_UPDATE"], "DOC_UPDATE"],
    "two commands for the worker": [["worker", "send", "{}", "{}"], "COMMAND"],
    "a malformed filter": [["tail", "--types", "A,,B"], "A,,B"],
    "a malformed cursor": [["tail", "--since", "a b"], "a b"],
    "a word for a choice": [["worker", "send", "{}", "--if-offline", "maybe"], "maybe"],
    "a rate of nothing": [["demo", "--rate", "0"], "--rate"],
    "a rate that is no number": [["demo", "--rate", "1e3"], "1e3"],
    "a seed that is no number": [["demo", "--seed", "-1"], "--seed"],
    "a key with a space": [["publish", "{}", "--key", "a b"], "a b"],
    "a key too long": [["publish", "{}", "--key", "k".repeat(201)], "--key"],
    "a URL that is none": [["tail", "--url", "nonsense"], "nonsense"],
    "a URL of another kind": [["tail", "--url", "ftp://127.0.0.1/"], "ftp://"],
    "a URL with user info": [["publish", "{}", "--url", "http://u:p@127.0.0.1/"], "--url"],
    "a URL with a query": [["publish", "{}", "--url", "http://127.0.0.1/?token=x"], "--url"],
    "a socket without an absolute path": [["tail", "--url", "unix:hub.sock"], "unix:hub.sock"],
    "arguments of version": [["version", "1"], "1"],
  };
  test.each(Object.keys(mistakes))("%s", async (name) => {
    const [args, named] = mistakes[name] ?? [[], ""];
    expect(onlyLine(await runCli(args), 2)).toContain(named);
  });

  test("each of several, and none of them forges a line", async () => {
    const { exitCode, stderr } = await runCli(["tail", "--x\ny", "--since", "a\u001b[2Kb", "--url", "x\r"]);
    expect(exitCode).toBe(2);
    expect(stderr.split("\n")).toHaveLength(3);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(stderr.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f]/);
  });
});

test("--version and version say the same, on standard output alone", async () => {
  const { exitCode, stdout, stderr } = await runCli(["version"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(/^vectra-hub \d+\.\d+\.\d+\S* \(.+\)$/);
  for (const flag of ["--version", "-v"]) expect((await runCli([flag])).stdout).toBe(stdout);
});
