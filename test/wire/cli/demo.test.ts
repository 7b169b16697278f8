import { describe, expect, test } from "bun:test";
import { sendCommand } from "../../support/api.ts";
import { type Cli, type CliOptions, onlyLine, runCli, startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { joinClient, joinWorker, OFFLINE, online } from "../../support/parties.ts";
import { openClient, type WsClient } from "../../support/wsclient.ts";

// `vectra-hub demo`: a worker as a dashboard sees it.

const startDemo = (hub: Pick<Hub, "url">, args: readonly string[] = [], options: CliOptions = {}): Cli =>
  startCli(["demo", "--url", hub.url, ...args], options);

/** The next so many messages that are no WORKER_STATUS. */
async function played(dashboard: WsClient, count: number): Promise<Record<string, unknown>[]> {
  const messages: Record<string, unknown>[] = [];
  while (messages.length < count) {
    const message = JSON.parse(await dashboard.next());
    if (message.type !== "WORKER_STATUS") messages.push(message);
  }
  return messages;
}

const namedDemo = (text: string): boolean => text.includes('"hostname":"demo-7"');

test("comes online, names itself, works, and goes", async () => {
  await using hub = await startHub();
  await using dashboard = await joinClient(hub);
  await using demo = startDemo(hub, ["--seed", "7", "--rate", "200"]);
  expect(await dashboard.next()).toBe(online());
  expect(namedDemo(await dashboard.next())).toBe(true);
  await played(dashboard, 20);
  demo.kill("SIGINT");
  for (let text = ""; text !== OFFLINE; ) text = await dashboard.next();
  expect(await within(demo.exited, "exit")).toBe(0);
  expect(demo.stderr).toEqual([]);
  expect(demo.stdout).toEqual([`connected to ${hub.url} as demo-7, 200 messages per second`]);
});

test("plays connectors and documents that make progress, in Vectra's words", async () => {
  await using hub = await startHub();
  await using dashboard = await joinClient(hub);
  await using _demo = startDemo(hub, ["--seed", "1", "--rate", "5000"]);
  const messages = await played(dashboard, 3_000);
  const members: Record<string, string[]> = {
    CONNECTOR_STATUS: ["type", "id", "status"],
    CONNECTOR_PROGRESS: ["type", "id", "current", "total", "percent"],
    DOC_PROGRESS: ["type", "doc_id", "processed", "total"],
  };
  const last = new Map<unknown, number>();
  const statuses = new Set<unknown>();
  for (const message of messages) {
    const { type } = message;
    if (type === "DOC_UPDATE") {
      expect(Object.keys(message).slice(0, 4)).toEqual(["type", "id", "status", "details"]);
      statuses.add(message["status"]);
      last.delete(message["id"]);
      continue;
    }
    expect(Object.keys(message)).toEqual(members[String(type)] ?? []);
    if (type === "CONNECTOR_STATUS") {
      statuses.add(message["status"]);
      if (message["status"] === "syncing") last.delete(message["id"]);
      continue;
    }
    const id = message["doc_id"] ?? message["id"];
    const done = Number(message["processed"] ?? message["current"]);
    expect(done).toBeGreaterThan(last.get(id) ?? -1);
    expect(done).toBeLessThanOrEqual(Number(message["total"]));
    last.set(id, done);
  }
  expect([...statuses].toSorted()).toEqual([
    "failed",
    "idle",
    "indexed",
    "processing",
    "syncing",
    "vectorizing",
  ]);
});

test("plays the same again with the same --seed, and something else with another", async () => {
  const play = async (seed: string): Promise<string> => {
    await using hub = await startHub();
    await using dashboard = await joinClient(hub);
    await using _demo = startDemo(hub, ["--seed", seed, "--rate", "2000"]);
    return JSON.stringify(await played(dashboard, 200));
  };
  const first = await play("42");
  expect(await play("42")).toBe(first);
  expect(await play("43")).not.toBe(first);
});

describe("commands", () => {
  test("begin what they ask for, and are acknowledged", async () => {
    await using hub = await startHub();
    await using dashboard = await joinClient(hub);
    await using demo = startDemo(hub, ["--rate", "500"]);
    await demo.line("the greeting", (line) => line.startsWith("connected"));

    await sendCommand(hub, '{"type":"TRIGGER_DOC_SYNC","id":"b7a1"}');
    await demo.line("obedience", (line) => line === "obeyed TRIGGER_DOC_SYNC b7a1");
    await until(
      dashboard,
      ({ type, id, status }) => type === "DOC_UPDATE" && id === "b7a1" && status === "processing",
    );
    await until(
      dashboard,
      ({ type, id, status }) => type === "DOC_UPDATE" && id === "b7a1" && status !== "processing",
    );

    await sendCommand(hub, '{"type":"TRIGGER_CONNECTOR_SYNC","id":"c-1"}');
    await until(
      dashboard,
      ({ type, id, status }) => type === "CONNECTOR_STATUS" && id === "c-1" && status === "syncing",
    );
    await until(dashboard, ({ type, id }) => type === "CONNECTOR_PROGRESS" && id === "c-1");
    await until(
      dashboard,
      ({ type, id, status }) => type === "CONNECTOR_STATUS" && id === "c-1" && status === "idle",
    );
  });

  test("that it does not know are told, and harmless", async () => {
    await using hub = await startHub();
    await using demo = startDemo(hub);
    await demo.line("the greeting", (line) => line.startsWith("connected"));
    for (const text of [
      '{"type":"OTHER\\u001b[2K"}',
      "{}",
      '{"type":"TRIGGER_DOC_SYNC"}',
      '{"type":"constructor"}',
    ])
      await sendCommand(hub, text);
    expect((await demo.lines(5)).slice(1)).toEqual([
      "ignored OTHER\\u001b[2K",
      "ignored a command without a type",
      "ignored TRIGGER_DOC_SYNC: it has no id",
      "ignored constructor",
    ]);
  });
});

async function until(
  dashboard: WsClient,
  fits: (message: Record<string, unknown>) => boolean,
): Promise<void> {
  while (!fits(JSON.parse(await dashboard.next())));
}

test("comes back after the hub was killed, and goes on", async () => {
  await using hub = createMortalHub({});
  hub.start();
  await hub.up();
  await using demo = startDemo(hub, ["--seed", "7", "--rate", "100"]);
  await demo.lines(1);
  await hub.kill();
  await demo.message("the loss", (line) => line.includes("connection lost"));
  hub.start();
  await hub.up();
  await using dashboard = await openClient(`${hub.url.replace("http", "ws")}/ws`);
  for (let text = ""; !namedDemo(text); ) text = await dashboard.next();
  await played(dashboard, 10);
  await demo.lines(2);
});

describe("ends with 1", () => {
  test("when a newer worker takes its place", async () => {
    await using hub = await startHub();
    await using demo = startDemo(hub);
    await demo.lines(1);
    await using _newer = await joinWorker(hub);
    expect(await within(demo.exited, "exit")).toBe(1);
    expect(demo.stderr).toHaveLength(1);
    expect(demo.stderr[0]).toContain("4001 replaced");
  });

  test("when the hub refuses its secret, which it does not show", async () => {
    await using hub = await startHub();
    const wrong = "9e107d9d372bb6826bd81d3542a419d6";
    const line = onlyLine(await runCli(["demo", "--url", hub.url], { env: { WORKER_SECRET: wrong } }), 1);
    expect(line).toContain("refuses the worker secret");
    expect(line).not.toContain(wrong.slice(0, 8));
  });

  test("when no hub is there", async () => {
    await using nobody = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("?") });
    const url = `http://127.0.0.1:${nobody.port}`;
    expect(onlyLine(await runCli(["demo", "--url", url]), 1)).toContain("no hub's answer");
    await nobody.stop(true);
    expect(onlyLine(await runCli(["demo", "--url", url]), 1)).toContain("nothing listens there");
  });
});

test("its secret is in a header alone: no process list shows it", async () => {
  let seen: { readonly url: string; readonly secret: string | null } | undefined;
  await using hub = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      seen = { url: request.url, secret: request.headers.get("x-worker-secret") };
      return new Response(null, { status: 503 });
    },
  });
  const url = `http://127.0.0.1:${hub.port}`;
  const secret = "sécret-0123456789abcdef0123456789abcdef";
  const line = onlyLine(await runCli(["demo", "--url", url], { env: { WORKER_SECRET: secret } }), 1);
  expect(line).toContain("503");
  expect(seen?.url).toBe(`${url}/api/v1/ws?client_type=worker`);
  expect(Buffer.from(seen?.secret ?? "", "latin1").toString()).toBe(secret);
});
