import { describe, expect, test } from "bun:test";
import { DEVELOPMENT_SECRET } from "../../src/config/checks.ts";
import { problemLines } from "../../src/config/render.ts";
import { createCertificate } from "../support/certificate.ts";
import { load, problemsOf } from "../support/load-config.ts";

// What is said about settings that are wrong, each on its own or together.

const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";
/** A file that holds a certificate and its key. */
const PEM = Object.values(createCertificate()).join("");
const NAMED = { repair: expect.stringMatching(/\S/) };

describe("problems", () => {
  test.each([
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "8000 "],
    ["PORT", "0x10"],
    ["PORT", "١"],
    ["WORKER_TIMEOUT_MS", "99"],
    ["WORKER_TIMEOUT_MS", "99999999999999999999"],
    ["OPS_PORT", "none"],
    ["ENV", "Production"],
    ["WS_PATHS", "/ws,,/x"],
    ["WS_PATHS", "/a b"],
    ["WS_PATHS", Array.from({ length: 17 }, (_, index) => `/${index}`).join(",")],
    ["CONFLATE", "DOC_PROGRESS:doc_id"],
    ["BRIDGE_URL", "http://api.test/ws"],
    ["BRIDGE_URL", "api.test"],
    ["ALLOWED_ORIGINS", "example.com/path"],
    ["CLIENT_AUTH_URL", "ftp://auth.test"],
  ])("%s=%s is one, with the value and the repair", (key, value) => {
    expect(problemsOf({ env: { [key]: value } })).toEqual([
      { ...NAMED, key, value, why: expect.stringMatching(/\S/) },
    ]);
  });

  const args: Record<string, { args: string[]; keys: string[]; repair: RegExp }> = {
    "an unknown flag": { args: ["--prot", "1"], keys: ["--prot", "1"], repair: /--help/ },
    "the beginning of a flag": {
      args: ["--worker-timeout=5"],
      keys: ["--worker-timeout"],
      repair: /--worker-timeout-ms/,
    },
    "a short flag": { args: ["-p"], keys: ["-p"], repair: /--help/ },
    "a word": { args: ["start"], keys: ["start"], repair: /--help/ },
    "a flag without a value": { args: ["--port"], keys: ["--port"], repair: /--port VALUE/ },
    "a flag with an empty value": { args: ["--port="], keys: ["--port"], repair: /--port VALUE/ },
    "a secret as a flag": {
      args: ["--worker-secret=hidden"],
      keys: ["--worker-secret"],
      repair: /environment/,
    },
    "another secret as a flag": {
      args: ["--ops-token", "hidden"],
      keys: ["--ops-token"],
      repair: /OPS_TOKEN/,
    },
  };
  test.each(Object.keys(args))("%s", (name) => {
    const { args: given, keys, repair } = args[name] as (typeof args)[string];
    const problems = problemsOf({ args: given });
    for (const { key } of problems) expect(keys).toContain(key);
    expect(problems[0]?.repair).toMatch(repair);
    expect(problemLines(problems)).not.toContain("hidden");
  });

  test("all of them in one go, each once, in the order of flags and settings", () => {
    const problems = problemsOf({
      args: ["--x=1", "--port=a", "--log-level", "loud"],
      env: { PORT: "b", WORKER_POLICY: "c", HISTORY_BYTES: "1", WS_PATHS: "ws,ws2" },
    });
    expect(problems.map(({ key, value }) => `${key} ${value}`)).toEqual([
      "--x undefined",
      "PORT a",
      "WS_PATHS ws,ws2",
      "WORKER_POLICY c",
      "HISTORY_BYTES 1",
      "LOG_LEVEL loud",
    ]);
  });

  test("one line each: key, value, why, repair; control characters are shown, not obeyed", () => {
    const problem = { key: "A\n", value: "b\u001b[2K\r\u0085", why: "is wrong", repair: "mend it" };
    expect(problemLines([problem, { ...problem, value: undefined }])).toBe(
      "vectra-hub: A\\n=b\\u001b[2K\\r\\u0085 is wrong: mend it\nvectra-hub: A\\n is wrong: mend it",
    );
  });
});

describe("contradictions", () => {
  test.each([
    [{ WORKER_TIMEOUT_MS: "25000" }, ["WORKER_TIMEOUT_MS"]],
    [{ HEARTBEAT_TIMEOUT_MS: "25000" }, ["HEARTBEAT_TIMEOUT_MS"]],
    [{ HEARTBEAT_INTERVAL_MS: "60000" }, ["WORKER_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_MS"]],
    [{ SLOW_CONSUMER_BYTES: "1048575" }, ["SLOW_CONSUMER_BYTES"]],
    [{ HISTORY_BYTES: "1048575" }, ["HISTORY_BYTES"]],
    [{ MAX_BATCH_BYTES: "1048575" }, ["MAX_BATCH_BYTES"]],
    [{ WORKER_SECRET_PREVIOUS: "old" }, ["WORKER_SECRET_PREVIOUS"]],
    [{ TLS_CERT_FILE: "/c" }, ["TLS_CERT_FILE"]],
    [{ TLS_KEY_FILE: "/c" }, ["TLS_KEY_FILE"]],
    [{ TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/c", UNIX_SOCKET: "/s" }, ["UNIX_SOCKET"]],
    [{ UNIX_SOCKET: "/s", THREADS: "2" }, ["THREADS"]],
    [{ UNIX_SOCKET: "/s", THREADS: "auto" }, ["THREADS"]],
    [{ TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/missing" }, ["TLS_KEY_FILE"]],
    [{ TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/other" }, ["TLS_KEY_FILE"]],
    [{ TLS_CERT_FILE: "/none", TLS_KEY_FILE: "/c" }, ["TLS_CERT_FILE"]],
    [{ TLS_CERT_FILE: "/none", TLS_KEY_FILE: "/none" }, ["TLS_CERT_FILE", "TLS_KEY_FILE"]],
    [{ CLIENT_AUTH_CACHE_MS: "1" }, ["CLIENT_AUTH_CACHE_MS"]],
  ])("%j", (env, keys) => {
    const files = { "/c": PEM, "/other": createCertificate().key, "/none": "no PEM" };
    expect(problemsOf({ env, files }).map(({ key }) => key)).toEqual(keys);
  });

  test.each([
    { WORKER_TIMEOUT_MS: "25001", HEARTBEAT_TIMEOUT_MS: "25001" },
    { SLOW_CONSUMER_BYTES: "1048576", HISTORY_BYTES: "1048576", MAX_BATCH_BYTES: "1048576" },
    { WORKER_SECRET: "new", WORKER_SECRET_PREVIOUS: "old" },
    { TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/c" },
  ])("%j is none", (env) => {
    expect(load({ env, files: { "/c": PEM } }).ok).toBe(true);
  });
});

describe("ENV=production", () => {
  test.each([
    ["no secret", undefined, /not set/],
    ["31 characters", SECRET.slice(0, 31), /31 characters/],
    ["the development default, longer", `${DEVELOPMENT_SECRET}${SECRET}`, /well-known/],
    ["a placeholder in capitals", `CHANGE-ME-${SECRET}`, /well-known/],
    ["few different characters", "abcdefg".repeat(10), /fewer than 8/],
  ])("refuses %s", (_what, secret, why) => {
    const problems = problemsOf({ env: { ENV: "production", WORKER_SECRET: secret } });
    expect(problems).toEqual([
      {
        key: "WORKER_SECRET",
        value: secret && "[redacted]",
        why: expect.stringMatching(why),
        repair: expect.stringContaining("openssl"),
      },
    ]);
  });

  test("takes one of 32 characters", () => {
    expect(load({ env: { ENV: "production", WORKER_SECRET: SECRET.slice(0, 32) } }).ok).toBe(true);
  });

  test("refuses a weak previous secret beside a strong one, and takes a strong one", () => {
    const strong = { ENV: "production", WORKER_SECRET: SECRET };
    expect(problemsOf({ env: { ...strong, WORKER_SECRET_PREVIOUS: "old" } }).map(({ key }) => key)).toEqual([
      "WORKER_SECRET_PREVIOUS",
    ]);
    const loaded = load({ env: { ...strong, WORKER_SECRET_PREVIOUS: `${SECRET}x` } });
    expect(loaded.ok && loaded.warnings).toEqual([]);
  });
});
