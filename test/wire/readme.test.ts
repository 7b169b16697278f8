import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Block, examplesOf, outputOf, README, tableUnder } from "../readme/document.ts";
import { type Example, startExample } from "../readme/example.ts";
import { call, JSON_BODY } from "../support/api.ts";
import { DEADLINE_MS } from "../support/deadline.ts";
import { type Hub, type HubOptions, startHub } from "../support/hub.ts";
import { createMortalHub } from "../support/mortal-hub.ts";
import { joinClient, joinWorker, online } from "../support/parties.ts";
import { PYTHON, PYTHON_NEEDS, websocketsVersion } from "../support/python.ts";
import { testThatNeeds } from "../support/skip.ts";

// Every example of the README, run as it stands there, against what the README says that it prints.

const markdown = await Bun.file(README).text();
const examples = examplesOf(markdown);

/** Commands that start something: test/unit/readme.test.ts checks them, and `make test` does not run itself. */
const STARTS = new Set([
  "start",
  "start with conflation",
  "start with bridge",
  "start with threads",
  "benchmark",
  "fuzz",
  "soak",
]);

/** Part of a page: test/unit/client/package.test.ts checks their types. */
const PAGES = new Set(["documents.ts"]);

/** What a hub in development takes where no secret is set. */
const DEVELOPMENT_SECRET = "dev-worker-secret-ephemeral";
const SECRET_HEADER = { ...JSON_BODY, "x-worker-secret": DEVELOPMENT_SECRET };
const UNCONFIGURED = { WORKER_SECRET: undefined };

/** Before its version 14, such as in Debian 12, websockets knows the argument by another name, as the README says. */
const needsOldName = websocketsVersion() < 14;

function block(name: string): Block {
  const found = examples.find((example) => example.name === name);
  if (found === undefined) throw new Error(`README.md has no example "${name}"`);
  const text = needsOldName ? found.text.replace("additional_headers=", "extra_headers=") : found.text;
  return { ...found, text };
}

function output(name: string): string {
  const found = outputOf(markdown, name);
  if (found === undefined) throw new Error(`README.md has no "output of ${name}"`);
  return found;
}

function start(name: string, hub: Pick<Hub, "url">, after = ""): Promise<Example> {
  const example = block(name);
  const before = example.language === "sh" ? block("setup").text : "";
  return startExample(example, {
    url: hub.url,
    before,
    after,
    ...(PYTHON === undefined ? {} : { python: PYTHON }),
  });
}

function hub(options: HubOptions = {}): Promise<Hub> {
  return startHub({ ...options, env: { ...UNCONFIGURED, ...options.env } });
}

/** The `ARGS` of a `make run` of the README. */
function argumentsOf(name: string): string[] {
  return /ARGS="([^"]*)"/.exec(block(name).text)?.[1]?.split(" ") ?? [];
}

async function post(to: Pick<Hub, "url">, path: string, message: object): Promise<unknown> {
  const body = JSON.stringify(message);
  const response = await fetch(`${to.url}/api/v1${path}`, { method: "POST", headers: SECRET_HEADER, body });
  expect(response.status).toBe(202);
  return await response.json();
}

/** A call with curl, on a hub of its own. */
const printsAll =
  (options?: HubOptions) =>
  async (name: string): Promise<void> => {
    await using own = await hub(options);
    await using example = await start(name, own);
    await example.endsWith(output(name));
  };

/** The same, where the stream goes on. */
const printsFirst = async (name: string): Promise<void> => {
  await using own = await hub();
  await using example = await start(name, own);
  await example.prints(output(name));
};

const workerAndDashboard = async (): Promise<void> => {
  await using own = await hub();
  await using dashboard = await start("dashboard.ts", own);
  await dashboard.prints('{"type":"WORKER_STATUS","status":"offline","metadata":null}');
  await using worker = await start("worker.py", own);
  await worker.prints(online());
  await dashboard.prints(output("dashboard.ts"));
};

const SCENARIOS: Readonly<Record<string, (name: string) => Promise<void>>> = {
  "worker.py": workerAndDashboard,
  "dashboard.ts": workerAndDashboard,
  async setup() {
    await using own = await hub();
    await using example = await startExample(block("setup"), {
      url: own.url,
      after: 'curl -sf "$HUB/worker"\n',
    });
    await example.prints('{"status":"offline"');
  },
  publish: printsAll(),
  "publish many": printsAll(),
  async "publish.py"(name) {
    await using own = await hub();
    await using client = await joinClient(own);
    await using example = await start(name, own);
    await example.endsWith("");
    expect(await client.untilPong()).toEqual(['{"type": "DOC_UPDATE", "id": "b7a1", "status": "ready"}']);
  },
  events: printsFirst,
  async "events.ts"(name) {
    await using own = await hub();
    await using example = await start(name, own);
    const anew = "fetch the state anew: none\n";
    await example.prints(anew);
    await post(own, "/publish", { type: "CONNECTOR_STATUS", id: "c1" });
    const receipt = await post(own, "/publish", { type: "DOC_UPDATE", id: "b7a1" });
    expect(receipt).toMatchObject({ receivers: { sse: 1 } });
    await example.prints(`${anew}00000000-2 {"type":"DOC_UPDATE","id":"b7a1"}\n`);
  },
  resume: printsFirst,
  async "resume.ts"(name) {
    const directory = await mkdtemp(join(tmpdir(), "vectra-readme-"));
    try {
      await using mortal = createMortalHub({
        ...UNCONFIGURED,
        HISTORY_FILE: join(directory, "history.sqlite"),
      });
      mortal.start();
      await mortal.up();
      await using example = await start(name, mortal);
      const first = "fetch the state anew: none\n";
      await example.prints(first);
      await post(mortal, "/publish", { type: "SEEN" });
      await example.prints(`${first}SEEN\n`);
      expect(await mortal.stop()).toBe(0);
      mortal.start();
      await mortal.up();
      await post(mortal, "/publish", { type: "MISSED" });
      await example.prints(`${first}SEEN\nMISSED\n`);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
  contract: printsAll(),
  async "client.ts"(name) {
    await using own = await hub();
    await using example = await start(name, own);
    const first = "the worker is offline\nfetch the state: start\n";
    await example.prints(first);
    await post(own, "/publish", { type: "DOC_PROGRESS", doc_id: "b7a1", processed: 1 });
    await example.prints(`${first}00000000-1 b7a1 1\n`);
  },
  async "typescript_worker.ts"(name) {
    await using own = await hub();
    await post(own, "/worker/messages", { type: "TRIGGER_DOC_SYNC", id: "b7a1" });
    await using client = await joinClient(own);
    await using worker = await start(name, own);
    await worker.prints("00000000-3\n");
    expect(await client.next()).toBe(online());
    expect(await client.next()).toBe(online('{"hostname":"gpu-01"}'));
    expect(await client.next()).toBe('{"type":"DOC_PROGRESS","doc_id":"b7a1","processed":1,"total":9}');
    expect(await client.next()).toBe('{"type":"DOC_UPDATE","id":"b7a1","status":"ready"}');
  },
  command: printsAll(),
  reject: printsAll(),
  async "stream_worker.py"(name) {
    await using own = await hub();
    await post(own, "/worker/messages", { type: "TRIGGER_DOC_SYNC", id: "b7a1" });
    await using worker = await start(name, own);
    await worker.prints(output(name));
    const waiting = async (): Promise<number> => JSON.parse((await call(own, "/api/v1/worker")).body).queued;
    while ((await waiting()) > 0) await Bun.sleep(5);
  },
  conflation: (name) => printsAll({ args: argumentsOf("start with conflation") })(name),
  async "hub.py"(name) {
    const use = [
      'print(asyncio.run(broadcast({"type": "DOC_CREATED"}))["ids"])',
      'print(asyncio.run(send_to_worker({"type": "TRIGGER_DOC_SYNC"})))',
      "",
    ].join("\n");
    await using own = await hub();
    await using idle = await start(name, own, use);
    await idle.endsWith("['00000000-1']\nNone\n");

    await using worker = await joinWorker(own, DEVELOPMENT_SECRET);
    await using busy = await start(name, own, use);
    await busy.endsWith("['00000000-2']\n{'id': '0000000000000000', 'status': 'sent'}\n");
    expect(await worker.next()).toBe('{"type": "TRIGGER_DOC_SYNC"}');
  },
};

const canRun: Readonly<Record<string, ReturnType<typeof testThatNeeds>>> = {
  sh: testThatNeeds("curl", Bun.which("curl") !== null),
  python: testThatNeeds(PYTHON_NEEDS, PYTHON !== undefined),
  // The worker beside the dashboard is in Python.
  ts: testThatNeeds(PYTHON_NEEDS, PYTHON !== undefined),
};

for (const { language, name } of examples) {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) continue;
  canRun[language]?.(`the README's ${name}`, () => scenario(name));
}

test("every call of the README's table is served, by who the table says", async () => {
  await using own = await hub();
  const rows = tableUnder(markdown, "HTTP calls");
  expect(rows.length).toBeGreaterThan(0);
  for (const [calls = "", who = ""] of rows) {
    const [, method = "", paths = ""] = /^`(GET|POST) (.*)`$/.exec(calls) ?? [];
    for (const path of paths.split("`, `")) {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const { status } = await fetch(`${own.url}${path.replace("{id}", "0")}`, { method, signal });
      expect({ path, status }).toEqual({ path, status: who.startsWith("anyone") ? 200 : 401 });
    }
  }
});

test("no example of the README is left out, and none is looked for that is not there", () => {
  const names = examples.map(({ name }) => name).filter((name) => !STARTS.has(name) && !PAGES.has(name));
  expect(names.toSorted()).toEqual(Object.keys(SCENARIOS).toSorted());
});
