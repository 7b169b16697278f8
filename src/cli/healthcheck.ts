import { z } from "zod";
import { call, jsonOf, refusalOf } from "./call.ts";
import { defineCommand } from "./command.ts";
import { givenSettings, readSettings, settingFlags } from "./settings.ts";
import { ownTarget, type Target, unixTarget } from "./target.ts";
import { EXIT, printable, type Terminal } from "./terminal.ts";

const TIMEOUT_MS = 5_000;

/** The settings that say where `/readyz` is. */
const SETTINGS = ["HOST", "PORT", "OPS_HOST", "OPS_PORT", "TLS_CERT_FILE", "UNIX_SOCKET"] as const;

const readinessSchema = z.object({
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })),
});

export const healthcheckCommand = defineCommand({
  name: "healthcheck",
  summary: "ask the hub on this machine whether it is ready",
  synopsis: "[--timeout-ms MS] [--FLAG VALUE ...]",
  details: `Asks /readyz of the hub that the settings describe, by the same environment or the same flags as the hub was given, and
prints one line. It is meant for HEALTHCHECK in an image that has no shell. With OPS_PORT it asks that listener.`,
  flags: {
    "timeout-ms": {
      help: `how long the answer may take (default: ${TIMEOUT_MS})`,
      value: "MS",
      schema: z
        .string()
        .regex(/^[1-9]\d{0,5}$/, "is no whole number from 1 to 999999")
        .transform(Number),
    },
    ...settingFlags(SETTINGS, z.string()),
  },
  environment: [[SETTINGS.join(", "), "the hub's settings"]],
  exitCodes: [
    [0, "the hub is ready"],
    [1, "it is not, or is not there, or the settings do not say where (2 has no meaning for a HEALTHCHECK)"],
  ],
  usageExitCode: EXIT.failed,
  async execute(given, _, terminal) {
    const { say, stdout, runtime } = terminal;
    const { "timeout-ms": limitMs = TIMEOUT_MS, ...flags } = given;
    const target = findOwn(givenSettings(SETTINGS, flags), terminal);
    if (target === undefined) return EXIT.failed;
    const answer = await call(target, { method: "GET", path: "/readyz", limitMs }, runtime);
    if (!answer.ok) {
      say(`not ready: ${target.shown} cannot be reached: ${answer.trouble.why}`);
      return EXIT.failed;
    }
    if (answer.status === 200) {
      stdout.write(`ready: ${target.shown}\n`);
      return EXIT.done;
    }
    const readiness = readinessSchema.safeParse(jsonOf(answer.body));
    say(
      readiness.success
        ? `not ready: ${target.shown}: ${failing(readiness.data)}`
        : `not ready: ${target.shown} ${refusalOf(answer)}`,
    );
    return EXIT.failed;
  },
});

function findOwn(
  flags: Partial<Record<(typeof SETTINGS)[number], string>>,
  { env, say }: Terminal,
): Target | undefined {
  const read = readSettings(SETTINGS, env, flags);
  if (!read.ok) {
    for (const line of read.problems) say(line);
    return undefined;
  }
  const { HOST, PORT, OPS_HOST, OPS_PORT, TLS_CERT_FILE, UNIX_SOCKET } = read.settings;
  const [name, port] = OPS_PORT === undefined ? ["PORT", PORT] : ["OPS_PORT", OPS_PORT];
  if (OPS_PORT === undefined && UNIX_SOCKET !== undefined) return unixTarget(UNIX_SOCKET);
  if (port === 0) {
    say(`${name}=0 takes any port, so where the hub is cannot be known: set OPS_PORT to a port`);
    return undefined;
  }
  // The listener for operators speaks no TLS.
  if (OPS_PORT !== undefined) return ownTarget("http", OPS_HOST, OPS_PORT);
  return ownTarget(TLS_CERT_FILE === undefined ? "http" : "https", HOST, PORT);
}

function failing({ checks }: z.output<typeof readinessSchema>): string {
  return Object.entries(checks)
    .filter(([, { ok }]) => !ok)
    .map(([name, { detail }]) => printable(detail === undefined ? name : `${name}: ${detail}`))
    .join("; ");
}
