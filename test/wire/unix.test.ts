import { expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { JSON_BODY } from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { createFolder, type Folder } from "../support/folder.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../support/hub.ts";
import { OFFLINE, online } from "../support/parties.ts";
import { refusedStart } from "../support/refused-start.ts";
import { openClient, type WsClient } from "../support/wsclient.ts";

// UNIX_SOCKET: the hub listens on a file, in place of HOST and PORT.

const NAME = "hub.sock";

/** The listener of operators is on TCP, where `hub.url` leads. */
async function start(folder: Folder, env: HubEnv = {}): Promise<Hub> {
  const path = folder.file(NAME);
  const hub = await startHub({ env: { UNIX_SOCKET: path, OPS_PORT: "0", ...env } });
  expect(hub.logs().find(({ msg }) => msg === "Listening")).toMatchObject({
    url: `unix:${path}`,
    ops_url: hub.url,
  });
  return hub;
}

function request(folder: Folder, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://hub${path}`, { ...init, unix: folder.file(NAME), keepalive: false });
}

function open(folder: Folder, query = "", headers = {}): Promise<WsClient> {
  return openClient(`ws+unix://${folder.file(NAME)}:/ws?${query}`, { headers });
}

test("clients, workers and backends find the hub behind the file", async () => {
  await using folder = await createFolder();
  await using _hub = await start(folder);
  expect(lstatSync(folder.file(NAME)).isSocket()).toBe(true);
  await using client = await open(folder);
  expect(await client.next()).toBe(OFFLINE);
  await using worker = await open(folder, "client_type=worker", { "x-worker-secret": SECRET });
  expect(await client.next()).toBe(online());
  expect(await worker.next()).toBe(online());
  worker.send('{"type":"A"}');
  expect(await client.next()).toBe('{"type":"A"}');
  const receipt = await request(folder, "/api/v1/publish", {
    method: "POST",
    headers: JSON_BODY,
    body: "{}",
  });
  expect(receipt.status).toBe(202);
  expect(await client.next()).toBe("{}");
  const stream = await request(folder, "/api/v1/events?since=earliest");
  expect(stream.headers.get("content-type")).toBe("text/event-stream");
  const reader = stream.body?.getReader();
  const { value } = await within(reader?.read() ?? Promise.reject(new Error("no body")), "the first event");
  expect(new TextDecoder().decode(value)).toStartWith("retry: ");
  await reader?.cancel();
});

test("nobody has an address there, so that all share none: the limit per address does not count", async () => {
  await using folder = await createFolder();
  await using _hub = await start(folder, { MAX_CONNECTIONS_PER_ADDRESS: "1", MAX_CONNECTIONS: "3" });
  await using clients = new AsyncDisposableStack();
  for (let count = 0; count < 3; count += 1) clients.use(await open(folder));
  expect((await request(folder, "/api/v1/events")).status).toBe(503);
});

test("unless a trusted proxy names them", async () => {
  await using folder = await createFolder();
  await using _hub = await start(folder, { MAX_CONNECTIONS_PER_ADDRESS: "1", TRUST_PROXY: "1" });
  await using _client = await open(folder, "", { "x-forwarded-for": "192.0.2.1" });
  const from = async (address: string): Promise<number> => {
    const headers = { "x-forwarded-for": address };
    const response = await request(folder, "/api/v1/events", { headers });
    await response.body?.cancel();
    return response.status;
  };
  expect([await from("192.0.2.1"), await from("192.0.2.2")]).toEqual([503, 200]);
});

test("SIGTERM ends it as ever and takes the file away", async () => {
  await using folder = await createFolder();
  await using hub = await start(folder);
  await using client = await open(folder);
  expect(await hub.stop()).toBe(0);
  expect((await within(client.closed, "close")).code).toBe(1001);
  expect(existsSync(folder.file(NAME))).toBe(false);
});

test("the file of a hub that was killed does not keep the next one from starting", async () => {
  await using folder = await createFolder();
  for (let run = 0; run < 3; run += 1) {
    await using hub = await start(folder);
    await using client = await open(folder);
    expect(await client.next()).toBe(OFFLINE);
    hub.kill("SIGKILL");
    await hub.exited;
    expect(lstatSync(folder.file(NAME)).isSocket()).toBe(true);
  }
});

test("the file of a hub that runs is left alone, and the second one says why it cannot start", async () => {
  await using folder = await createFolder();
  await using _hub = await start(folder);
  const line = await refusedStart({ UNIX_SOCKET: folder.file(NAME) });
  expect(line).toContain(folder.file(NAME));
  expect(line).toMatch(/in use/);
  await using client = await open(folder);
  expect(await client.next()).toBe(OFFLINE);
});

test("nothing but a socket is ever removed", async () => {
  await using folder = await createFolder();
  const file = folder.file("precious");
  writeFileSync(file, "of value");
  mkdirSync(folder.file("folder"));
  symlinkSync(file, folder.file("link"));
  symlinkSync(folder.file("nowhere"), folder.file("dangling"));
  for (const name of ["precious", "folder", "link", "dangling"]) {
    const line = await refusedStart({ UNIX_SOCKET: folder.file(name) });
    expect(line).toContain(folder.file(name));
    expect(line).toMatch(/no socket/);
    expect(lstatSync(folder.file(name)).isSocket()).toBe(false);
  }
  expect(readFileSync(file, "utf8")).toBe("of value");
});

test("a path where no file can be made is one clear line", async () => {
  await using folder = await createFolder();
  for (const path of [folder.file("missing/hub.sock"), folder.file("x".repeat(200))]) {
    const line = await refusedStart({ UNIX_SOCKET: path });
    expect(line).toContain(path);
    expect(line).toMatch(/UNIX_SOCKET/);
  }
});
