import { expect, test } from "bun:test";
import { call } from "../../support/api.ts";
import { startAuthEndpoint, status } from "../../support/auth-endpoint.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { handshake, openRaw } from "../../support/rawsocket.ts";
import { enterStream, knock, knockSse } from "../../support/visitor.ts";

// Log forging: whatever a stranger can bring into the log stays a value of the line that it belongs to.

const FORGED_MSG = "Secure Worker Connected";
/** A line end of each kind, a whole line in both formats, and what would repaint a terminal. */
const FORGERY = [
  "x",
  `2026-01-01T00:00:00.000Z INFO    START | serve | ${FORGED_MSG}`,
  `{"time":"2026-01-01T00:00:00.000Z","level":"info","event":"START","scope":"serve","msg":"${FORGED_MSG}"}`,
  '"} ], msg: forged',
].join("\n");
const SEPARATORS = [
  "\n",
  "\r",
  "\r\n",
  "\u2028",
  "\u2029",
  "\u0085",
  "\v",
  "\f",
  "\u0000",
  "\u001b[2K",
  "\u009b2K",
  "\u202e",
];

/** What HTTP lets through in a header: no line ends and no NUL, but the other control characters as UTF-8 bytes. */
function asHeader(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(/[\r\n\0]/g, " "));
}

/** Every door at which something is logged about a stranger. */
async function attack(hub: Hub, forgery: string): Promise<void> {
  const encoded = encodeURIComponent(forgery);
  const bytes = asHeader(forgery);
  const headers = (name: string) => handshake(hub.wsUrl(), { [name]: bytes });
  for (const name of [
    "origin",
    "x-forwarded-for",
    "x-forwarded-host",
    "user-agent",
    "cookie",
    "authorization",
  ]) {
    await rawRequest(hub.url, headers(name)).catch(() => undefined);
  }
  for (const query of [`client_type=${encoded}`, `client_type=worker&token=${encoded}`]) {
    await using socket = await openRaw(hub.wsUrl(query));
    await socket.nextClose();
  }
  await using refused = await enterStream(hub, { query: `token=${encoded}&since=${encoded}` });
  await refused.nextClose();
  await knockSse(hub, { query: `types=${encoded}&since=${encoded}` });
  await call(hub, `/${encoded}?${encoded}`);
  await call(hub, `/api/v1/worker/messages/${encoded}`);
  await call(hub, `/api/v1/stats?${encoded}`, { headers: { "x-worker-secret": "wrong" } });
}

test.each(["json", "text"])("no stranger writes a line of the log (%s)", async (format) => {
  await using endpoint = startAuthEndpoint(status(403));
  await using hub = await startHub({
    env: {
      LOG_FORMAT: format,
      LOG_LEVEL: "debug",
      ALLOWED_ORIGINS: "https://app.example.com",
      CLIENT_AUTH_URL: endpoint.url,
      TRUST_PROXY: "1",
    },
  });
  for (const separator of SEPARATORS) await attack(hub, FORGERY.replaceAll("\n", separator));
  expect((await knock(hub)).status).toBe(403);
  expect(await hub.stop()).toBe(0);

  const output = hub.output();
  // It did get into the log, or nothing would be shown by this.
  expect(output).toContain("forged");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(output.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
  const started = Date.now() - 3_600_000;
  for (const line of output.split("\n")) {
    if (format === "json") {
      const { time, msg } = JSON.parse(line);
      expect(Date.parse(time)).toBeGreaterThan(started);
      expect(msg).not.toBe(FORGED_MSG);
    } else {
      expect(Date.parse(line.split(" ")[0] ?? "")).toBeGreaterThan(started);
      expect(line).not.toMatch(new RegExp(`\\| ${FORGED_MSG}( \\[|$)`));
      // The line's own values end where they should: a quote of a stranger's is escaped.
      expect(line).not.toMatch(/[^\\]"\} \], msg: forged/);
    }
  }
});

test("no line grows with what a stranger sends", async () => {
  await using hub = await startHub({
    env: { LOG_LEVEL: "debug", ALLOWED_ORIGINS: "https://app.example.com" },
  });
  const long = "x".repeat(10_000);
  await knock(hub, { headers: { origin: `https://${long}` } });
  await using socket = await openRaw(hub.wsUrl(`client_type=${long}`));
  await socket.nextClose();
  await call(hub, `/api/v1/worker/messages/${long}`);
  expect(await hub.stop()).toBe(0);
  for (const line of hub.output().split("\n")) expect(line.length).toBeLessThan(1_000);
});
