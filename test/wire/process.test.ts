import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { type Hub, runHub, SECRET, startHub } from "../support/hub.ts";
import {
  joinClient,
  joinRawClient,
  joinRawWorker,
  joinWorker,
  OFFLINE,
  online,
  register,
} from "../support/parties.ts";
import { openRaw } from "../support/rawsocket.ts";
import { testThatNeeds } from "../support/skip.ts";

// The hub as a process: its commands, its exit codes, its log.

test("--version says the version, on standard output alone", async () => {
  const { exitCode, stdout, stderr } = await runHub(["--version"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(/^vectra-hub \d+\.\d+\.\d+\S*.*\n$/);
});

describe("a port that is in use", () => {
  test("is one clear line and exit code 1", async () => {
    await using first = await startHub();
    const { port } = new URL(first.url);
    const { exitCode, stdout, stderr } = await runHub([], {
      HOST: "127.0.0.1",
      PORT: port,
      WORKER_SECRET: SECRET,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(port);
    expect(lines[0]).toMatch(/in use/i);
    await using _client = await joinClient(first);
  });

  test("an address that is not this machine's is one line and exit code 1 too", async () => {
    const { exitCode, stderr } = await runHub([], { HOST: "203.0.113.1", PORT: "0", WORKER_SECRET: SECRET });
    expect(exitCode).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain("203.0.113.1");
  });
});

describe("as PID 1", () => {
  const wrappers = [
    ["unshare", "--pid", "--fork", "--kill-child"],
    ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"],
  ];
  const wrapper = wrappers.find(([command = "", ...args]) => {
    const path = Bun.which(command);
    return path !== null && Bun.spawnSync([path, ...args, "true"]).exitCode === 0;
  });
  const pidTest = testThatNeeds("unshare, and the right to make a PID namespace", wrapper !== undefined);

  async function onlyChildOf(pid: number): Promise<number> {
    const children = await Bun.file(`/proc/${pid}/task/${pid}/children`).text();
    return Number(children.trim());
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    pidTest(`${signal} ends it with 1001 and exit code 0`, async () => {
      await using hub = await startHub({ wrapper: wrapper ?? [] });
      await using client = await joinClient(hub);
      process.kill(await onlyChildOf(hub.pid), signal);
      expect((await within(client.closed, "close of the client")).code).toBe(1001);
      expect(await within(hub.exited, "exit")).toBe(0);
    });
  }
});

describe("the log", () => {
  const timed = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

  test("keeps the original's shape as text", async () => {
    await using hub = await startHub({ env: { LOG_FORMAT: "text", LOG_LEVEL: "debug" } });
    await using client = await joinClient(hub);
    await using worker = await joinWorker(hub);
    await using _refused = await openRaw(hub.wsUrl("client_type=worker&token=wrong"));
    await worker.close();
    await client.close();

    const has = (part: string): Promise<string> => hub.waitForLine(part, (line) => line.includes(part));
    await has("SECURITY | websocket_endpoint | Unauthorized Worker Attempt");
    await has("CONNECT | websocket_endpoint | ");
    await has("START | websocket_endpoint | ");
    await has("FINISH | websocket_endpoint | ");
    for (const line of hub.output().split("\n")) expect(line).toMatch(timed);
  });

  test("is one JSON object a line, with its time, as json", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await using client = await joinClient(hub);
    await client.close();
    await hub.waitForLog("the client's end", (line) => line.event === "FINISH");
    for (const line of hub.logs()) {
      expect(line).toMatchObject({
        time: expect.stringMatching(timed),
        level: expect.stringMatching(/^(debug|info|warning|error)$/),
        event: expect.stringMatching(/^[A-Z]+$/),
        scope: expect.any(String),
        msg: expect.any(String),
      });
    }
  });

  test("shows nothing below LOG_LEVEL", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "info" } });
    await using _client = await joinClient(hub);
    await using _worker = await joinWorker(hub);
    await using _refused = await openRaw(hub.wsUrl("client_type=worker&token=wrong"));
    await hub.waitForLog("the refused worker", (line) => line.level === "warning");
    expect(await hub.stop()).toBe(0);
    expect(hub.logs().map((line) => line.level)).not.toContain("debug");
  });

  const forgery =
    "x\r\n2026-01-01T00:00:00Z INFO START | serve | forged\u001b[2K\u0000\u009b2K\u0085\u2028\u2029";

  /** Brings the forgery in wherever a value comes from outside. */
  async function attack(hub: Hub): Promise<void> {
    const encoded = encodeURIComponent(forgery);
    await using _unknown = await openRaw(hub.wsUrl(`client_type=${encoded}`));
    await using _refused = await openRaw(hub.wsUrl(`client_type=worker&token=${encoded}`));
    await fetch(`${hub.url}/${encoded}?${encoded}`);
    await using agent = await openRaw(hub.wsUrl(`x=${encoded}`), {
      headers: {
        "user-agent": "\u009b31m",
        "x-forwarded-for": "\u009b\u2028",
        origin: "http://\u009b1m",
      },
    });
    expect(await agent.nextText()).toBe(OFFLINE);
    await using worker = await joinRawWorker(hub);
    worker.text(register({ hostname: forgery, version: [forgery], [forgery]: forgery }));
    worker.text(forgery);
    worker.text(JSON.stringify([forgery]));
    worker.text(JSON.stringify({ type: forgery }));
    await worker.untilPong();
    worker.close(4000, forgery.slice(0, 60));
    await worker.nextClose();
    await using client = await joinRawClient(hub);
    client.close(4001, forgery.slice(0, 60));
    await client.nextClose();
  }

  test.each(["text", "json"])(
    "escapes what comes from outside (%s): no line and no control character is forged",
    async (format) => {
      await using hub = await startHub({ env: { LOG_FORMAT: format, LOG_LEVEL: "debug" } });
      await attack(hub);
      expect(await hub.stop()).toBe(0);

      const output = hub.output();
      expect(output).toContain("forged");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
      expect(output.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      for (const line of output.split("\n")) {
        expect(line).not.toStartWith("2026-01-01T00:00:00Z");
        if (format === "json") JSON.parse(line);
        else expect(line).toMatch(timed);
      }
    },
  );

  test("never shows the secret, whatever the level and the way it came", async () => {
    await using hub = await startHub({ env: { LOG_LEVEL: "debug" } });
    await using _byToken = await openRaw(hub.wsUrl(`client_type=worker&token=${SECRET}`));
    await using _onClient = await openRaw(hub.wsUrl(`token=${SECRET}`), {
      headers: { authorization: `Bearer ${SECRET}` },
    });
    await fetch(`${hub.url}/nope?token=${SECRET}`);
    await fetch(`${hub.url}/ws?token=${SECRET}`);
    await using worker = await joinRawWorker(hub);
    worker.text(SECRET);
    await worker.untilPong();
    expect(await hub.stop()).toBe(0);
    expect(hub.output()).not.toContain(SECRET.slice(0, 8));
  });
});

test("a healthy hub writes nothing to standard output", async () => {
  await using hub = await startHub();
  await using client = await joinClient(hub);
  await using _worker = await joinWorker(hub);
  expect(await client.next()).toBe(online());
  expect(hub.stdout()).toBe("");
});
