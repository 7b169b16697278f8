import type { Command } from "./command.ts";
import { overview, pageOf } from "./help.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** How long a reader may take for what is left, once a stop was asked for. */
const FLUSH_LIMIT_MS = 500;

/** What the command line asks for. */
type Asked =
  | { readonly kind: "run"; readonly command: Command; readonly args: readonly string[] }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "wrong"; readonly why: string };

/**
 * Runs the command that the command line names, or the first of the table where it names none.
 * @returns the exit code, once the output has left
 */
export async function dispatch(
  commands: readonly [Command, ...Command[]],
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const { stdout, say, stopAsked, runtime } = terminal;
  const asked = understand(commands, argv);
  let exitCode: number = EXIT.done;
  if (asked.kind === "run") exitCode = await asked.command.run(asked.args, terminal);
  else if (asked.kind === "print") stdout.write(asked.text);
  else {
    say(asked.why);
    return EXIT.usage;
  }
  // Ending right after a write would cut it off in a pipe; but who was asked to stop waits for no reader.
  const patienceEnds = stopAsked().then(
    () => new Promise<void>((resolve) => void runtime.after(FLUSH_LIMIT_MS, resolve)),
  );
  await Promise.race([stdout.drained(1), patienceEnds]);
  const failure = stdout.failure();
  if (failure === undefined) return exitCode;
  say(`standard output cannot be written: ${failure}`);
  return exitCode === EXIT.done ? EXIT.failed : exitCode;
}

function understand(commands: readonly [Command, ...Command[]], argv: readonly string[]): Asked {
  const [first] = argv;
  if (first === undefined || first.startsWith("-")) {
    if (asksFor(argv, "--help", "-h")) return { kind: "print", text: overview(commands) };
    const version = commands.find(({ name }) => name === "version");
    if (version !== undefined && asksFor(argv, "--version", "-v"))
      return { kind: "run", command: version, args: [] };
    return { kind: "run", command: commands[0], args: argv };
  }
  const isHelp = first === "help";
  const words = isHelp ? argv.slice(1).filter((word) => !word.startsWith("-")) : argv;
  if (isHelp && words.length === 0) return { kind: "print", text: overview(commands) };

  const found = commands.find(({ name }) => name.split(" ").every((word, index) => words[index] === word));
  if (found !== undefined) {
    const args = words.slice(found.name.split(" ").length);
    return isHelp || asksFor(args, "--help", "-h")
      ? { kind: "print", text: pageOf(found) }
      : { kind: "run", command: found, args };
  }
  // `worker` alone stands for several.
  const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
  if (group.length === 0)
    return { kind: "wrong", why: `${JSON.stringify(words[0])} is no command: see vectra-hub --help` };
  if (isHelp || asksFor(argv, "--help", "-h")) return { kind: "print", text: group.map(pageOf).join("\n\n") };
  const names = group.map(({ name }) => name).join(" or ");
  return { kind: "wrong", why: `${JSON.stringify(words.join(" "))} is no command: use ${names}` };
}

/** What stands behind `--` is no flag. */
function asksFor(args: readonly string[], ...flags: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).some((word) => flags.includes(word));
}
