import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { call } from "../../support/api.ts";
import { hang, megabyte, startAuthEndpoint, status } from "../../support/auth-endpoint.ts";
import { createFolder } from "../../support/folder.ts";
import { rawRequest } from "../../support/http.ts";
import { type Hub, runHub, SECRET, startHub } from "../../support/hub.ts";
import { joinRawWorker } from "../../support/parties.ts";
import { HAS_PROC } from "../../support/process.ts";
import { refusedStart } from "../../support/refused-start.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { joinSse } from "../../support/sse-stream.ts";
import { joinLive, joinStreamWorker } from "../../support/streamclient.ts";
import { askWorker, enter, enterStream, knock, knockSse } from "../../support/visitor.ts";

// No secret appears in any log, error, metric, stat or process title, whoever showed it where.

const SECRETS = {
  worker: SECRET,
  previous: "c41d0a7be95f2386d1b7a0e4f8c25930a",
  ops: "0e92b6d4c7a1f35870b3e8d6a2c4f9157",
  bearer: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0NzExIn0.c2lnbmF0dXJl",
  cookie: "session-5f1e8c0a9d3b7264",
  password: "hunter2-6b0d9f4e1c8a7352",
  wrong: "almost-the-secret-93c7e1b05d2f4a68",
} as const;

/** A secret in the forms in which it might come back: as it is, in part, encoded, decoded from Basic. */
function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  const hex = Buffer.from(secret).toString("hex");
  return [
    secret.slice(0, 12),
    secret.slice(-12),
    base64.slice(0, 14),
    hex.slice(0, 20),
    btoa(`user:${secret}`),
  ];
}

/** Fails when the text holds any of the secrets, and says which and where. */
function expectNone(where: string, text: string): void {
  for (const [name, secret] of Object.entries(SECRETS)) {
    for (const form of formsOf(secret)) {
      if (text.includes(form)) throw new Error(`${where} holds the ${name} secret:\n${text}`);
    }
  }
}

const SETTINGS = {
  WORKER_SECRET: SECRETS.worker,
  WORKER_SECRET_PREVIOUS: SECRETS.previous,
  OPS_TOKEN: SECRETS.ops,
  LOG_LEVEL: "debug",
};

const ALL = Object.values(SECRETS);
const PATHS = [
  "/",
  "/ws",
  "/api/v1/ws",
  "/api/v1/events",
  "/api/v1/worker",
  "/api/v1/publish",
  "/api/v1/worker/messages",
  "/api/v1/worker/messages/1",
  "/api/v1/stats",
  "/metrics",
  "/healthz",
  "/readyz",
  "/nowhere",
];

/** Shows each secret at each door in every way. @returns everything that the hub said in answer */
async function showEverywhere(hub: Hub): Promise<string> {
  const said: string[] = [];
  const note = (answer: { status: number; headers: Headers; body: string }): void => {
    said.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${answer.body}`);
  };
  const headersOf = (secret: string): Record<string, string>[] => [
    { "x-worker-secret": secret },
    { authorization: `Bearer ${secret}` },
    { authorization: `Basic ${btoa(`user:${secret}`)}` },
    { authorization: secret },
    { cookie: `session=${secret}` },
    { "x-api-key": secret, referer: `https://app.example.com/?token=${secret}` },
  ];
  for (const secret of ALL) {
    for (const path of PATHS) {
      for (const headers of headersOf(secret)) {
        for (const method of ["GET", "POST", "OPTIONS"]) {
          const length = method === "POST" ? [["content-length", "0"] as const] : [];
          note(await rawRequest(hub.url, { method, path, headers: [...Object.entries(headers), ...length] }));
        }
      }
      note(await rawRequest(hub.url, { path: `${path}?token=${secret}&x-worker-secret=${secret}` }));
    }
    for (const query of [
      `token=${secret}`,
      `client_type=worker&token=${secret}`,
      `client_type=x&token=${secret}`,
    ]) {
      note(await knock(hub, { query }));
      note(await knockSse(hub, { query }));
      note(await askWorker(hub, { query }));
      said.push(await firstFrame(hub, query));
    }
    for (const headers of headersOf(secret)) {
      for (const query of ["", "client_type=worker"]) note(await knock(hub, { query, headers }));
    }
    const bodies = ["{", "[]", `{"type":"WORKER_STATUS"}`];
    for (const body of bodies) {
      const headers = { "x-worker-secret": secret, "content-type": "application/json" };
      note(await call(hub, "/api/v1/publish", { method: "POST", headers, body }));
      note(await call(hub, "/api/v1/worker/messages", { method: "POST", headers, body }));
    }
  }
  return said.join("\n");
}

/** What a stream-framed peer is told first: a frame, or the refusal of its handshake. */
async function firstFrame(hub: Hub, query: string): Promise<string> {
  try {
    await using stream = await enterStream(hub, { query });
    return Buffer.from((await stream.next()).payload).toString();
  } catch (refusal) {
    return String(refusal);
  }
}

/** What any user of the machine can read about a process. */
function titleOf(pid: number): string {
  const threads = readdirSync(`/proc/${pid}/task`).map((id) =>
    readFileSync(`/proc/${pid}/task/${id}/comm`, "utf8"),
  );
  return [readFileSync(`/proc/${pid}/cmdline`, "utf8"), ...threads].join("\n");
}

testThatNeeds("/proc", HAS_PROC)(
  "nowhere in what the hub says, logs, counts or shows of itself",
  async () => {
    await using endpoint = startAuthEndpoint(status(204));
    await using hub = await startHub({
      env: {
        ...SETTINGS,
        CLIENT_AUTH_URL: endpoint.url,
        CLIENT_AUTH_TIMEOUT_MS: "100",
        CLIENT_AUTH_CACHE_MS: "1000",
      },
    });
    await using _worker = await joinRawWorker(hub);
    await using _streamWorker = await joinStreamWorker(hub, SECRETS.previous);
    await using _client = await joinLive(hub);
    await using _events = await joinSse(hub);
    for (const reply of [status(204), status(403), status(500), hang, megabyte(200)]) {
      endpoint.reply = reply;
      expectNone("an answer", reply === hang ? await hangOnce(hub) : await showEverywhere(hub));
    }
    const operator = { authorization: `Bearer ${SECRETS.ops}` };
    for (const path of ["/metrics", "/api/v1/stats", "/healthz", "/readyz"]) {
      const { status: code, body } = await call(hub, path, { headers: operator });
      expect(code).toBe(200);
      expectNone(path, body);
    }
    expectNone("the process title", titleOf(hub.pid));
    expect(await hub.stop()).toBe(0);
    // The log tells of all of this, or nothing would be shown by it.
    expect(hub.logs().filter(({ event }) => event === "SECURITY").length).toBeGreaterThan(100);
    expectNone("the log", hub.output());
  },
);

/** One of each kind: every question that is not answered takes as long as is waited for. */
async function hangOnce(hub: Hub): Promise<string> {
  const headers = { cookie: `session=${SECRETS.cookie}`, authorization: `Bearer ${SECRETS.bearer}` };
  const query = `token=${SECRETS.password}`;
  const answers = [await knock(hub, { query, headers }), await knockSse(hub, { query, headers })];
  return answers.map(({ body, headers: sent }) => `${JSON.stringify([...sent])} ${body}`).join("\n");
}

test("nowhere in a log that is written as text", async () => {
  await using hub = await startHub({ env: { ...SETTINGS, LOG_FORMAT: "text" } });
  for (const secret of ALL) {
    await using client = await enter(hub, { query: `token=${secret}`, headers: { cookie: secret } });
    await client.next();
    await knock(hub, { query: `client_type=worker&token=${secret}` });
    await call(hub, "/api/v1/stats", { headers: { "x-worker-secret": secret } });
  }
  expect(await hub.stop()).toBe(0);
  expectNone("the log", hub.output());
});

test("nowhere in what is said about settings, right or wrong", async () => {
  await using folder = await createFolder();
  const right = await runHub(["config"], SETTINGS);
  expect(right.exitCode).toBe(0);
  expectNone("config", right.stdout + right.stderr);

  const secretFile = folder.file("secret");
  await Bun.write(secretFile, SECRETS.worker);
  const wrong: [args: string[], env: Record<string, string>][] = [
    [[], { ...SETTINGS, WORKER_SECRET: ` ${SECRETS.worker}` }],
    [[], { ...SETTINGS, OPS_TOKEN: `${SECRETS.ops}\t` }],
    [[], { WORKER_SECRET_PREVIOUS: SECRETS.previous }],
    [[], { ...SETTINGS, ENV: "production", WORKER_SECRET: `${SECRETS.worker}changeme` }],
    [[], { ...SETTINGS, WORKER_SECRET_FILE: secretFile }],
    [["--worker-secret", SECRETS.worker], {}],
    [[`--ops-token=${SECRETS.ops}`], {}],
    [[`--worker-secret-previous=${SECRETS.previous}`], {}],
  ];
  for (const [args, env] of wrong) {
    const { exitCode, stdout, stderr } = await runHub(args, env);
    expect({ args: args.length, exitCode }).toEqual({ args: args.length, exitCode: 2 });
    expectNone("the mistake", stdout + stderr);
  }
  expectNone("the refusal", await refusedStart({ ...SETTINGS, HOST: "203.0.113.1" }));
});
