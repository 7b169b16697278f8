import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type HubEnv, IS_BINARY, runHub, SECRET, startHub } from "../support/hub.ts";
import { joinClient, joinWorker, OFFLINE } from "../support/parties.ts";
import { openRaw } from "../support/rawsocket.ts";

// Settings, as the operator meets them: help, effective values, and refusals that name the repair.

const SETTINGS = [
  "ENV",
  "HOST",
  "PORT",
  "WS_PATHS",
  "WORKER_SECRET",
  "WORKER_SECRET_FILE",
  "WORKER_SECRET_PREVIOUS",
  "WORKER_POLICY",
  "WORKER_TIMEOUT_MS",
  "WORKER_OFFLINE_GRACE_MS",
  "MAX_MESSAGE_BYTES",
  "HEARTBEAT_INTERVAL_MS",
  "HEARTBEAT_TIMEOUT_MS",
  "SLOW_CONSUMER_BYTES",
  "LOG_FORMAT",
  "LOG_LEVEL",
];
const DEFAULTS: Record<string, string> = {
  PORT: "8000",
  WS_PATHS: "/ws,/api/v1/ws",
  WORKER_POLICY: "replace",
  WORKER_TIMEOUT_MS: "40000",
  WORKER_OFFLINE_GRACE_MS: "0",
  MAX_MESSAGE_BYTES: "1048576",
  HEARTBEAT_INTERVAL_MS: "25000",
  HEARTBEAT_TIMEOUT_MS: "60000",
};

async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "vectra-hub-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** The line that speaks of a setting: its name as a word of its own. */
function lineOf(output: string, name: string): string {
  const line = output
    .split("\n")
    .find((candidate) => new RegExp(`(^|[^\\w-])${name}([^\\w]|$)`).test(candidate));
  if (line === undefined) throw new Error(`no line for ${name} in:\n${output}`);
  return line;
}

/** The effective value that `config` prints. */
async function configured(name: string, env: HubEnv, args: readonly string[] = []): Promise<string> {
  const { exitCode, stdout } = await runHub(["config", ...args], env);
  expect(exitCode).toBe(0);
  return lineOf(stdout, name);
}

describe("--help", () => {
  test("has a row for every setting, with its flag and its default", async () => {
    const { exitCode, stdout } = await runHub(["--help"]);
    expect(exitCode).toBe(0);
    for (const name of SETTINGS) {
      const row = lineOf(stdout, name);
      if (DEFAULTS[name] !== undefined) expect(row).toContain(DEFAULTS[name]);
      if (!["WORKER_SECRET", "WORKER_SECRET_PREVIOUS"].includes(name)) {
        expect(stdout).toContain(`--${name.toLowerCase().replaceAll("_", "-")}`);
      }
    }
    for (const command of ["serve", "config", "--version"]) expect(stdout).toContain(command);
  });
});

describe("vectra-hub config", () => {
  test("prints the effective values: default, environment, flag over environment", async () => {
    for (const [name, value] of Object.entries(DEFAULTS)) expect(await configured(name, {})).toContain(value);
    expect(await configured("PORT", { PORT: "9001" })).toContain("9001");
    expect(await configured("PORT", { PORT: "9001" }, ["--port", "9002"])).toContain("9002");
    expect(await configured("PORT", { PORT: "9001" }, ["--port=9003"])).toContain("9003");
    expect(await configured("PORT", { PORT: "" })).toContain("8000");
    expect(await configured("ENV", { ENV: "production", WORKER_SECRET: SECRET })).toContain("production");
  });

  test("redacts every secret", async () => {
    const env = { WORKER_SECRET: SECRET, WORKER_SECRET_PREVIOUS: `${SECRET}previous` };
    const { stdout, stderr } = await runHub(["config"], env);
    expect(stdout + stderr).not.toContain(SECRET.slice(0, 8));
    for (const name of ["WORKER_SECRET", "WORKER_SECRET_PREVIOUS"])
      expect(lineOf(stdout, name)).toMatch(/redacted/i);
  });

  test("listens everywhere once there is a secret, on loopback only before", async () => {
    expect(await configured("HOST", { WORKER_SECRET: SECRET })).toMatch(/::|0\.0\.0\.0/);
    expect(await configured("HOST", {})).toMatch(/127\.0\.0\.1|localhost|::1/);
    expect(await configured("HOST", { HOST: "127.0.0.9" })).toContain("127.0.0.9");
  });
});

describe("in development without a secret", () => {
  test("an unconfigured Vectra worker connects, on loopback only, and a warning says so", async () => {
    await using hub = await startHub({ env: { WORKER_SECRET: undefined, HOST: undefined } });
    await using _worker = await joinWorker(hub, "dev-worker-secret-ephemeral");
    const { hostname, port } = new URL(hub.url);
    expect(["127.0.0.1", "localhost", "[::1]"]).toContain(hostname);
    await hub.waitForLog(
      "the default secret",
      (line) => line.level === "warning" && line.msg.includes("WORKER_SECRET"),
    );

    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find((address) => !address.internal && address.family === "IPv4");
    if (outside !== undefined) await expect(fetch(`http://${outside.address}:${port}/`)).rejects.toThrow();
  });

  test("any other secret, and none, is refused", async () => {
    await using hub = await startHub({ env: { WORKER_SECRET: undefined } });
    for (const headers of [{}, { "x-worker-secret": "" }, { "x-worker-secret": "undefined" }]) {
      await using refused = await openRaw(hub.wsUrl("client_type=worker"), { headers });
      expect((await refused.nextClose()).code).toBe(1008);
    }
  });
});

describe("settings reach the hub", () => {
  test("by flag, with and without the command's name", async () => {
    for (const command of [[], ["serve"]]) {
      await using hub = await startHub({
        args: [...command, "--ws-paths", "/flagged", "--worker-policy=shared"],
      });
      await using socket = await openRaw(hub.wsUrl("", "/flagged"));
      expect(await socket.nextText()).toBe(OFFLINE);
    }
  });

  test("WORKER_SECRET_FILE holds the secret, with or without a line end", async () => {
    await using directory = await temporaryDirectory();
    for (const lineEnd of ["", "\n", "\r\n"]) {
      const file = join(directory.path, "secret");
      await writeFile(file, `from-a-file-é-0123456789abcdef${lineEnd}`);
      await using hub = await startHub({ env: { WORKER_SECRET: undefined, WORKER_SECRET_FILE: file } });
      await using worker = await openRaw(hub.wsUrl("client_type=worker"), {
        headers: { "x-worker-secret": "from-a-file-é-0123456789abcdef" },
      });
      expect(await worker.nextText()).toContain("online");
    }
  });

  test("an IPv6 address is one that clients can use", async () => {
    await using hub = await startHub({ env: { HOST: "::1" } });
    expect(hub.url).toStartWith("http://[::1]:");
    await using _client = await joinClient(hub);
  });
});

// Not skipped when the source is tested, but no business of it: `bun` itself reads these files.
if (IS_BINARY) {
  describe("the compiled binary", () => {
    test("takes neither a .env nor a bunfig preload from the working directory", async () => {
      await using directory = await temporaryDirectory();
      const marker = join(directory.path, "preloaded");
      const files = {
        ".env": "WORKER_TIMEOUT_MS=77777\nWS_PATHS=/from-dotenv\n",
        ".env.production": "WORKER_TIMEOUT_MS=77777\n",
        "bunfig.toml": 'preload = ["./preload.ts"]\n[run]\npreload = ["./preload.ts"]\n',
        "preload.ts": `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");\n`,
        "tsconfig.json": "{ not json",
        "package.json": "{ not json",
      };
      for (const [name, content] of Object.entries(files))
        await writeFile(join(directory.path, name), content);

      const { stdout } = await runHub(["config"], {}, directory.path);
      expect(stdout).not.toMatch(/77777|from-dotenv/);
      await using hub = await startHub({ cwd: directory.path });
      await using _client = await joinClient(hub);
      expect(await Bun.file(marker).exists()).toBe(false);
    });

    test("knows its commit, or that it was built outside of a repository", async () => {
      const { stdout } = await runHub(["--version"]);
      expect(stdout).toMatch(/\((?:[0-9a-f]{7,40}(?:-dirty)?|unknown)\)/);
    });
  });
}
