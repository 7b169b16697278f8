import { expect } from "bun:test";
import { within } from "./deadline.ts";
import { HUB_COMMAND, type HubEnv, hubEnv } from "./hub.ts";

/**
 * Starts a hub that must refuse to run: exit code 1 and one clear line, nothing else.
 * @param wrapper words before the hub's command
 * @returns the line
 */
export async function refusedStart(env: HubEnv, wrapper: readonly string[] = []): Promise<string> {
  const child = Bun.spawn([...wrapper, ...HUB_COMMAND], {
    env: hubEnv(env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  try {
    const output = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    const [exitCode, stdout, stderr] = await within(output, "end of a hub that should not start");
    expect({ exitCode, stdout, lines: stderr.trimEnd().split("\n") }).toEqual({
      exitCode: 1,
      stdout: "",
      lines: [expect.stringMatching(/./)],
    });
    return stderr.trimEnd();
  } finally {
    child.kill("SIGKILL");
  }
}
