import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { JSON_BODY } from "../support/api.ts";
import { type Certificate, createCertificate } from "../support/certificate.ts";
import { within } from "../support/deadline.ts";
import { createFolder, type Folder } from "../support/folder.ts";
import { rawRequest } from "../support/http.ts";
import { type Hub, type HubEnv, runHub, SECRET, startHub } from "../support/hub.ts";
import { OFFLINE, online } from "../support/parties.ts";
import { createQueue } from "../support/queue.ts";
import { STREAM } from "../support/streamframe.ts";

// TLS_CERT_FILE and TLS_KEY_FILE: the hub speaks https and wss.

const CERTIFICATE = createCertificate();

function writeFiles(folder: Folder, { cert, key }: Certificate = CERTIFICATE): HubEnv {
  writeFileSync(folder.file("cert.pem"), cert);
  writeFileSync(folder.file("key.pem"), key);
  return { TLS_CERT_FILE: folder.file("cert.pem"), TLS_KEY_FILE: folder.file("key.pem") };
}

interface SecureHub {
  readonly hub: Hub;
  /** `https://127.0.0.1:41234` */
  readonly url: string;
}

/** The listener of operators has no TLS: it is where `hub.url` leads. */
async function start(folder: Folder, env: HubEnv = {}): Promise<SecureHub> {
  const hub = await startHub({ env: { ...writeFiles(folder), OPS_PORT: "0", ...env } });
  const url = String(hub.logs().find(({ msg }) => msg === "Listening")?.["url"]);
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  return { hub, url };
}

function request(url: string, init: BunFetchRequestInit = {}): Promise<Response> {
  return fetch(url, { tls: { ca: CERTIFICATE.cert }, keepalive: false, ...init });
}

interface Opened extends AsyncDisposable {
  readonly protocol: string;
  send(text: string): void;
  next(): Promise<string>;
  readonly closed: Promise<number>;
}

async function open(
  url: string,
  options: { headers?: Record<string, string>; protocols?: string[] } = {},
): Promise<Opened> {
  const messages = createQueue<string>();
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  const socket = new WebSocket(url.replace("https:", "wss:"), {
    tls: { ca: CERTIFICATE.cert },
    ...options,
  });
  socket.onopen = () => opened.resolve();
  socket.onmessage = ({ data }) => messages.push(String(data));
  socket.onclose = ({ code }) => {
    messages.end(`closed with ${code}`);
    opened.reject(new Error(`closed with ${code}`));
    closed.resolve(code);
  };
  await within(opened.promise, `connection to ${url}`);
  return {
    protocol: socket.protocol,
    send: (text) => socket.send(text),
    next: () => messages.next("message"),
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed.promise;
    },
  };
}

test("clients, workers and backends speak wss and https", async () => {
  await using folder = await createFolder();
  const { hub, url } = await start(folder);
  await using _hub = hub;
  await using client = await open(`${url}/ws`);
  expect(await client.next()).toBe(OFFLINE);
  await using stream = await open(`${url}/api/v1/ws`, { protocols: [STREAM] });
  expect(stream.protocol).toBe(STREAM);
  expect(JSON.parse(await stream.next())).toMatchObject({ type: "hello" });
  expect(JSON.parse(await stream.next())).toMatchObject({ type: "live" });
  await using worker = await open(`${url}/ws?client_type=worker`, { headers: { "x-worker-secret": SECRET } });
  expect(await worker.next()).toBe(online());
  expect(await client.next()).toBe(online());
  // Larger than a TLS record and than a socket's buffer.
  const large = JSON.stringify({ type: "A", text: "é".repeat(400_000) });
  worker.send(large);
  expect((await client.next()) === large).toBe(true);
  const receipt = await request(`${url}/api/v1/publish`, { method: "POST", headers: JSON_BODY, body: "{}" });
  expect(receipt.status).toBe(202);
  expect(await client.next()).toBe("{}");
  const events = await request(`${url}/api/v1/events?since=earliest`);
  let text = "";
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
  while (reader !== undefined && !text.includes("event: live")) text += (await reader.read()).value ?? "";
  expect(text).toContain(large);
  await reader?.cancel();
  expect((await fetch(`${hub.url}/readyz`)).status).toBe(200);
});

test("who does not trust the certificate does not connect", async () => {
  await using folder = await createFolder();
  const { hub, url } = await start(folder);
  await using _hub = hub;
  await expect(fetch(`${url}/api/v1/worker`, { keepalive: false })).rejects.toThrow(/self.signed/i);
  expect((await request(`${url}/api/v1/worker`)).status).toBe(200);
});

test("nothing is said in plain text", async () => {
  await using folder = await createFolder();
  const { hub, url } = await start(folder);
  await using _hub = hub;
  const plain = rawRequest(url.replace("https:", "http:"), { path: "/api/v1/worker" });
  await expect(plain).rejects.toThrow(/^closed before a whole response: $/);
});

test("same-origin means https, too", async () => {
  await using folder = await createFolder();
  const { hub, url } = await start(folder, { ALLOWED_ORIGINS: "same-origin" });
  await using _hub = hub;
  const from = async (origin: string): Promise<number> =>
    (await request(`${url}/api/v1/worker`, { headers: { origin } })).status;
  expect(await from(url)).toBe(200);
  expect(await from(url.replace("https:", "http:"))).toBe(403);
});

test("SIGTERM ends it as ever", async () => {
  await using folder = await createFolder();
  const { hub, url } = await start(folder);
  await using _hub = hub;
  await using client = await open(`${url}/ws`);
  expect(await hub.stop()).toBe(0);
  expect(await within(client.closed, "close")).toBe(1001);
});

const MISTAKES: Record<string, { env: (folder: Folder) => HubEnv; says: RegExp[] }> = {
  "a certificate that is not there": {
    env: (folder) => ({ ...writeFiles(folder), TLS_CERT_FILE: folder.file("missing") }),
    says: [/TLS_CERT_FILE=\S+ cannot be read/],
  },
  "a key that is a folder": {
    env: (folder) => ({ ...writeFiles(folder), TLS_KEY_FILE: folder.path }),
    says: [/TLS_KEY_FILE=\S+ cannot be read/],
  },
  "files that hold nothing of the kind": {
    env: (folder) => writeFiles(folder, { cert: "hello", key: "world" }),
    says: [/TLS_CERT_FILE=\S+ holds no certificate/, /TLS_KEY_FILE=\S+ holds no private key/],
  },
  "one in the other's place": {
    env: (folder) => writeFiles(folder, { cert: CERTIFICATE.key, key: CERTIFICATE.cert }),
    says: [/TLS_CERT_FILE=\S+ holds no certificate/, /TLS_KEY_FILE=\S+ holds no private key/],
  },
  "a key of another certificate": {
    env: (folder) => writeFiles(folder, { ...CERTIFICATE, key: createCertificate().key }),
    says: [/TLS_KEY_FILE=\S+ is not the key of/],
  },
  "a certificate alone": {
    env: (folder) => ({ TLS_CERT_FILE: writeFiles(folder)["TLS_CERT_FILE"] }),
    says: [/TLS_CERT_FILE=\S+ is set without TLS_KEY_FILE/],
  },
  "a unix socket beside it": {
    // Not with several threads, which would be a mistake more.
    env: (folder) => ({ ...writeFiles(folder), UNIX_SOCKET: folder.file("hub.sock"), THREADS: undefined }),
    says: [/UNIX_SOCKET=\S+ is set beside TLS_CERT_FILE/],
  },
};
test.each(Object.keys(MISTAKES))("%s: exit code 2, and a line for each mistake", async (name) => {
  const mistake = MISTAKES[name];
  await using folder = await createFolder();
  const { exitCode, stdout, stderr } = await runHub([], { WORKER_SECRET: SECRET, ...mistake?.env(folder) });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr.trimEnd().split("\n")).toEqual(
    (mistake?.says ?? []).map((says) => expect.stringMatching(says)),
  );
  expect(stderr).not.toContain("PRIVATE KEY-----");
});
