import { describe, expect, test } from "bun:test";
import { DEVELOPMENT_SECRET } from "../../src/config/checks.ts";
import { effectiveSettings, settingsHelp, settingsMarkdown } from "../../src/config/render.ts";
import { configSchema, flagOf, notesOf, SETTING_NAMES } from "../../src/config/schema.ts";
import { createCertificate } from "../support/certificate.ts";
import { configOf, type Given, load, problemsOf } from "../support/load-config.ts";

// Settings from flags, environment and files.

const SECRET = "7f3a9c52e8d14b06a1f5c3e97b20d8461";
/** A file that holds a certificate and its key. */
const PEM = Object.values(createCertificate()).join("");

describe("every setting", () => {
  test.each(SETTING_NAMES)("%s: its notes, flag, table rows and default agree", (name) => {
    const { help, accepts, defaultNote, secret } = notesOf(name);
    expect([help, accepts].every((text) => /\S/.test(text) && !/\n/.test(text))).toBe(true);
    expect(flagOf(name)).toBe(secret ? undefined : name.toLowerCase().replaceAll("_", "-"));
    expect(settingsMarkdown()).toContain(`| \`${name}\` |`);
    expect(settingsHelp()).toMatch(new RegExp(`(^|\\s)${name}\\s.*`, "m"));
    const fallback = configSchema.parse({})[name];
    if (typeof fallback === "number" || typeof fallback === "boolean")
      expect(defaultNote).toBe(String(fallback));
    if (name.endsWith("_MS")) expect(notesOf(name).unit).toBe("ms");
    if (name.endsWith("_BYTES") || name.includes("BYTES_PER")) expect(notesOf(name).unit).toBe("bytes");
  });

  test.each(SETTING_NAMES.filter((name) => flagOf(name) !== undefined))("%s can be given by flag", (name) => {
    const value =
      { ENV: "development", TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/c" }[name as string] ?? sampleOf(name);
    const both = { TLS_CERT_FILE: "/c", TLS_KEY_FILE: "/c" };
    const beside = name.startsWith("TLS_") ? both : { CLIENT_AUTH_URL: "http://auth.test/" };
    const files = { "/c": name.startsWith("TLS_") ? PEM : "pem" };
    const byEnv = configOf({ env: { ...beside, [name]: value }, files })[name];
    const flag = `--${flagOf(name)}`;
    expect(configOf({ args: [flag, value], env: beside, files })[name]).toEqual(byEnv as never);
    expect(configOf({ args: [`${flag}=${value}`], env: beside, files })[name]).toEqual(byEnv as never);
  });
});

/** A value that the setting takes and that differs from its default, made from what it says it accepts. */
function sampleOf(name: (typeof SETTING_NAMES)[number]): string {
  const { accepts, defaultNote } = notesOf(name);
  const [, , high] = /^(\d+)-(\d+)$/.exec(accepts) ?? [];
  if (name === "HEARTBEAT_INTERVAL_MS") return "1000";
  if (name === "MAX_MESSAGE_BYTES") return "2048";
  if (high !== undefined) return high;
  if (accepts.includes(" | ")) return accepts.split(" | ").find((word) => word !== defaultNote) ?? "";
  const samples: Record<string, string> = {
    "ws:// or wss:// address": "ws://api.test/ws",
    "http:// or https:// address": "http://auth.test/check",
    "rules like DOC_PROGRESS:doc_id:100": "A:b:100",
    origins: "https://app.test",
    paths: "/other",
    path: "/c",
  };
  return samples[accepts] ?? "some-text";
}

describe("where a value comes from", () => {
  const cases: Record<string, { given: Given; port: number }> = {
    "the default": { given: {}, port: 8000 },
    "the environment": { given: { env: { PORT: "1" } }, port: 1 },
    "a flag": { given: { args: ["--port", "2"] }, port: 2 },
    "a flag rather than the environment": { given: { args: ["--port=2"], env: { PORT: "1" } }, port: 2 },
    "the last of two flags": { given: { args: ["--port=2", "--port", "3"] }, port: 3 },
    "the default, where the environment's is empty": { given: { env: { PORT: "" } }, port: 8000 },
    "the environment in its own spelling only": { given: { env: { port: "1", Port: "2" } }, port: 8000 },
    "leading zeros are decimal": { given: { env: { PORT: "0080" } }, port: 80 },
  };
  test.each(Object.keys(cases))("%s", (name) => {
    const { given, port } = cases[name] as (typeof cases)[string];
    expect(configOf(given).PORT).toBe(port);
  });

  test.each([
    ["no secret", {}, "127.0.0.1", DEVELOPMENT_SECRET, /loopback only/],
    ["no secret, but a host", { HOST: "0.0.0.0" }, "0.0.0.0", DEVELOPMENT_SECRET, /development default$/],
    ["a secret", { WORKER_SECRET: "s" }, "::", "s", undefined],
    ["a secret and a host", { WORKER_SECRET: "s", HOST: "::1" }, "::1", "s", undefined],
  ])("with %s", (_what, env, host, secret, warning) => {
    const loaded = load({ env });
    expect(loaded.ok && [loaded.config.HOST, loaded.config.WORKER_SECRET]).toEqual([host, secret]);
    const warnings = loaded.ok ? loaded.warnings : [];
    expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
  });

  test.each([
    [true, "text"],
    [false, "json"],
  ])("on a terminal (%p) logs are %s", (isTerminal, format) => {
    expect(configOf({ isTerminal }).LOG_FORMAT as string).toBe(format);
    expect(configOf({ isTerminal: !isTerminal, env: { LOG_FORMAT: format } }).LOG_FORMAT as string).toBe(
      format,
    );
  });
});

describe("a secret from a file", () => {
  test.each([
    ["as it is", "s", "s"],
    ["with a line end", "s\n", "s"],
    ["with a line end of Windows", "s\r\n", "s"],
    ["with a space in it", "a b", "a b"],
  ])("%s", (_what, content, secret) => {
    expect(configOf({ env: { WORKER_SECRET_FILE: "/f" }, files: { "/f": content } }).WORKER_SECRET).toBe(
      secret,
    );
  });

  test.each([
    ["that is not there", {}, {}, /ENOENT/],
    ["that is empty", { "/f": "" }, {}, /empty/],
    ["that holds a line end only", { "/f": "\n" }, {}, /empty/],
    ["beside a secret", { "/f": "s" }, { WORKER_SECRET: "s" }, /beside WORKER_SECRET/],
  ])("%s is one problem", (_what, files, env, why) => {
    const problems = problemsOf({ env: { ...env, WORKER_SECRET_FILE: "/f" }, files });
    expect(problems).toEqual([
      {
        repair: expect.stringMatching(/\S/),
        key: "WORKER_SECRET_FILE",
        value: "/f",
        why: expect.stringMatching(why),
      },
    ]);
  });

  test.each([
    ["holds more than one line", "hidden\nmore\n"],
    ["begins with white space", " hidden\n"],
  ])("that %s is a problem of the secret, which is not shown", (_what, content) => {
    const [problem, ...others] = problemsOf({ env: { WORKER_SECRET_FILE: "/f" }, files: { "/f": content } });
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ key: "WORKER_SECRET", value: "[redacted]" });
    expect(problem?.why).not.toContain("hidden");
  });
});

test("the effective settings: one line each, secrets redacted, in a form that can be given again", () => {
  const env = { WORKER_SECRET: SECRET, WORKER_SECRET_PREVIOUS: `${SECRET}old`, OPS_TOKEN: `${SECRET}ops` };
  const lines = effectiveSettings(
    configOf({ env, args: ["--conflate", "A:b:10,C:d:20", "--ws-paths=/a,/b"] }),
  ).split("\n");
  expect(lines.map((line) => line.split("=", 1)[0])).toEqual(SETTING_NAMES);
  expect(lines.join("\n")).not.toContain(SECRET);
  expect(lines.filter((line) => line.endsWith("=[redacted]"))).toHaveLength(3);
  const given = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const again = configOf({ env: { ...given, ...env, WORKER_SECRET_PREVIOUS: `${SECRET}old` } });
  expect(effectiveSettings(again).split("\n")).toEqual(lines);
  expect(again.CONFLATE).toHaveLength(2);
});
