import { describe, expect, test } from "bun:test";
import { type HubEnv, runHub, SECRET, startHub } from "../support/hub.ts";
import { joinWorker } from "../support/parties.ts";

// Settings that the hub refuses to start with: one line for each, with key, value, why and repair.

/** What a refused start prints: one line for each problem, exit code 2. */
async function problems(args: readonly string[], env: HubEnv = {}): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runHub(args, { HOST: "127.0.0.1", PORT: "0", ...env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  const lines = stderr.trimEnd().split("\n");
  // "vectra-hub: KEY=value why: repair"
  for (const line of lines) expect(line).toMatch(/^vectra-hub: \S.* \S+ .+: .{10,}$/);
  return lines;
}

describe("a start is refused with exit code 2 and one line for", () => {
  const wrong: Record<string, readonly [key: string, value: string]> = {
    "a word for a number": ["PORT", "eight"],
    "a port out of range": ["PORT", "65536"],
    "a negative number": ["HEARTBEAT_INTERVAL_MS", "-5"],
    "a fraction": ["WORKER_TIMEOUT_MS", "1.5"],
    "a number with a unit": ["WORKER_TIMEOUT_MS", "40s"],
    "a number with an exponent": ["MAX_MESSAGE_BYTES", "1e6"],
    "an unknown policy": ["WORKER_POLICY", "random"],
    "an unknown environment": ["ENV", "prod"],
    "an unknown level": ["LOG_LEVEL", "loud"],
    "an unknown format": ["LOG_FORMAT", "xml"],
    "a path without a slash": ["WS_PATHS", "ws"],
    "a secret file that is not there": ["WORKER_SECRET_FILE", "/nonexistent/secret"],
  };
  test.each(Object.keys(wrong))("%s, from the environment and from a flag", async (name) => {
    const [key, value] = wrong[name] ?? ["", ""];
    const flag = `--${key.toLowerCase().replaceAll("_", "-")}`;
    for (const lines of [await problems([], { [key]: value }), await problems([`${flag}=${value}`])]) {
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(key);
      expect(lines[0]).toContain(value);
    }
  });

  test("each of several problems, all at once", async () => {
    const lines = await problems(["--no-such-flag", "5"], { PORT: "x", WORKER_POLICY: "y", LOG_LEVEL: "z" });
    for (const key of ["PORT", "WORKER_POLICY", "LOG_LEVEL", "--no-such-flag"]) {
      expect(lines.filter((line) => line.includes(key))).toHaveLength(1);
    }
  });

  test.each(["--no-such-flag", "--porrt=1", "-x", "--PORT=1"])("an unknown flag: %s", async (flag) => {
    const lines = await problems([flag]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(flag.replace(/=.*/, ""));
  });

  test("an unknown command", async () => {
    const lines = await problems(["server"]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("server");
  });

  test.each(["WORKER_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_MS"])(
    "%s that is not above HEARTBEAT_INTERVAL_MS",
    async (key) => {
      for (const value of ["30000", "29999"]) {
        const lines = await problems([], { HEARTBEAT_INTERVAL_MS: "30000", [key]: value });
        expect(lines).toHaveLength(1);
        for (const part of [key, value, "HEARTBEAT_INTERVAL_MS"]) expect(lines[0]).toContain(part);
      }
    },
  );

  test("WORKER_SECRET beside WORKER_SECRET_FILE", async () => {
    const lines = await problems([], { WORKER_SECRET: SECRET, WORKER_SECRET_FILE: "/dev/null" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("WORKER_SECRET_FILE");
    expect(lines[0]).not.toContain(SECRET.slice(0, 8));
  });

  test("a value that tries to forge a second line", async () => {
    expect(await problems([], { PORT: "1\nPORT: all is well\u001b[2K" })).toHaveLength(1);
    expect(await problems(["--x\ny"])).toHaveLength(1);
  });
});

describe("ENV=production refuses", () => {
  const weak: Record<string, string | undefined> = {
    "no secret": undefined,
    "an empty secret": "",
    "a secret of 31 characters": SECRET.slice(0, 31),
    "the development default": "dev-worker-secret-ephemeral",
    "the development default, made longer": "dev-worker-secret-ephemeral-0123456789",
    "a placeholder that is long enough": "please-change-me-please-change-me-please",
    "one character, many times": "a".repeat(64),
  };
  test.each(Object.keys(weak))("%s", async (name) => {
    const secret = weak[name];
    const lines = await problems([], { ENV: "production", WORKER_SECRET: secret });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("WORKER_SECRET");
    if (secret) expect(lines[0]).not.toContain(secret);
  });

  test("a weak previous secret beside a strong one", async () => {
    const lines = await problems([], {
      ENV: "production",
      WORKER_SECRET: SECRET,
      WORKER_SECRET_PREVIOUS: "short",
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("WORKER_SECRET_PREVIOUS");
  });

  test("nothing else: a strong secret of 32 characters starts", async () => {
    const secret = SECRET.slice(0, 32);
    await using hub = await startHub({ env: { ENV: "production", WORKER_SECRET: secret } });
    await using _worker = await joinWorker(hub, secret);
  });
});
