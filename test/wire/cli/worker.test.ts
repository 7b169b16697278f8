import { describe, expect, test } from "bun:test";
import { call, untilStatus } from "../../support/api.ts";
import { type CliResult, onlyLine, runCli, startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { joinRawWorker, joinWorker, register } from "../../support/parties.ts";
import { lastingPort } from "../../support/port.ts";

// `vectra-hub worker status` and `worker send`.

const COMMAND = '{"type":"TRIGGER_DOC_SYNC","id":9007199254740993}';

function worker(
  hub: Pick<Hub, "url">,
  args: readonly string[],
  input: string | Uint8Array = "",
): Promise<CliResult> {
  return runCli(["worker", ...args, "--url", hub.url], { input });
}

describe("worker status", () => {
  test("says who works, and how much waits", async () => {
    await using hub = await startHub();
    await using party = await joinWorker(hub);
    party.send(register({ hostname: "gpu-01\u009b", version: "1.4.2" }));
    await party.untilPong();
    const { exitCode, stdout, stderr } = await worker(hub, ["status"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^worker +online$/m);
    expect(stdout).toMatch(/^metadata +\{"hostname":"gpu-01\\u009b","version":"1.4.2"\}$/m);
    expect(stdout).toMatch(/^since +\d{4}-\d\d-\d\dT/m);
    expect(stdout).toMatch(/^commands waiting +0$/m);
  });

  test("that nobody does is an answer, too", async () => {
    await using hub = await startHub();
    await worker(hub, ["send", COMMAND]);
    const { exitCode, stdout } = await worker(hub, ["status"]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: "worker            offline\ncommands waiting  1",
    });
  });

  test("--json is the hub's answer as it came", async () => {
    await using hub = await startHub();
    const { stdout } = await worker(hub, ["status", "--json"]);
    const { body } = await call(hub, "/api/v1/worker");
    expect(stdout).toBe(body);
  });

  test("a client that is not let in and has no secret: 1; with the secret: 0", async () => {
    await using door = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(null, { status: 403 }),
    });
    await using hub = await startHub({ env: { CLIENT_AUTH_URL: `http://127.0.0.1:${door.port}/` } });
    const args = ["worker", "status", "--url", hub.url];
    expect(onlyLine(await runCli(args, { env: { WORKER_SECRET: undefined } }), 1)).toContain("403");
    expect((await runCli(args, { env: { WORKER_SECRET: SECRET } })).exitCode).toBe(0);
  });

  test("no hub, or another server: 1", async () => {
    expect(onlyLine(await worker({ url: `http://127.0.0.1:${lastingPort()}` }, ["status"]), 1)).toContain(
      "cannot be reached",
    );
    await using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ a: 1 }) });
    expect(onlyLine(await worker({ url: `http://127.0.0.1:${other.port}` }, ["status"]), 1)).toContain(
      "not as a hub would",
    );
  });
});

describe("worker send", () => {
  test.each([
    ["an argument", [COMMAND], ""],
    ["standard input", [], `\n${COMMAND}\n`],
    ["standard input by its dash", ["-"], COMMAND],
  ])("%s reaches the worker, byte for byte", async (_, args, input) => {
    await using hub = await startHub();
    await using party = await joinRawWorker(hub, { pings: "answer" });
    const { exitCode, stdout, stderr } = await worker(hub, ["send", ...args], input);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({ id: expect.any(String), status: "sent" });
    expect(await party.nextText()).toBe(input === "" ? COMMAND : input);
  });

  test("waits in the queue for a worker, or fails with --if-offline reject", async () => {
    await using hub = await startHub();
    const queued = await worker(hub, ["send", COMMAND, "--if-offline", "queue"]);
    expect(JSON.parse(queued.stdout)).toMatchObject({ status: "queued" });
    expect(onlyLine(await worker(hub, ["send", '{"n":2}', "--if-offline", "reject"]), 1)).toContain("409");
    await using party = await joinRawWorker(hub, { pings: "answer" });
    expect(await party.nextText()).toBe(COMMAND);
    expect(await party.untilPong()).toEqual([]);
  });

  test("--wait ends with the acknowledgement", async () => {
    await using hub = await startHub();
    await using cli = startCli(["worker", "send", COMMAND, "--wait", "--url", hub.url]);
    const [accepted = ""] = await cli.lines(1);
    const { id, status } = JSON.parse(accepted);
    expect(status).toBe("queued");
    await using party = await joinRawWorker(hub, { pings: "ignore" });
    expect(await party.nextText()).toBe(COMMAND);
    await untilStatus(hub, id, "sent");
    party.tcp.reset();
    await using _next = await joinRawWorker(hub, { pings: "answer" });
    expect(await within(cli.exited, "exit")).toBe(0);
    expect(cli.stdout.slice(1)).toEqual([`{"id":"${id}","status":"acknowledged","attempts":2}`]);
  });

  test("--wait ends with 1 when the command expires", async () => {
    await using hub = await startHub({ env: { COMMAND_TTL_MS: "100" } });
    const { exitCode, stdout } = await worker(hub, ["send", COMMAND, "--wait"]);
    expect(exitCode).toBe(1);
    expect(stdout.split("\n")[1]).toMatch(/"status":"expired"/);
  });

  test("--wait ends with 1 when a restarted hub has forgotten the command", async () => {
    await using hub = createMortalHub({});
    hub.start();
    await hub.up();
    await using cli = startCli(["worker", "send", COMMAND, "--wait", "--url", hub.url]);
    await cli.lines(1);
    await hub.kill();
    hub.start();
    expect(await within(cli.exited, "exit")).toBe(1);
    expect(cli.stderr.at(-1)).toContain("HISTORY_FILE");
  });

  test("--key: the same again is accepted once, another under it is refused", async () => {
    await using hub = await startHub();
    const first = await worker(hub, ["send", COMMAND, "--key", "k"]);
    expect(await worker(hub, ["send", COMMAND, "--key", "k"])).toEqual(first);
    expect(onlyLine(await worker(hub, ["send", "{}", "--key", "k"]), 1)).toContain("422");
    expect((await worker(hub, ["status"])).stdout).toMatch(/commands waiting +1$/);
  });

  test("a full queue is told at once: 1", async () => {
    await using hub = await startHub({ env: { COMMAND_QUEUE: "1" } });
    await worker(hub, ["send", COMMAND]);
    expect(onlyLine(await worker(hub, ["send", COMMAND]), 1)).toContain("COMMAND_QUEUE");
  });

  test.each(["", "{", "[1]", '{"type":"REGISTER_WORKER"}'])(
    "what is no command is refused: %j",
    async (text) => {
      await using hub = await startHub();
      onlyLine(await worker(hub, ["send", text]), 2);
      onlyLine(await worker(hub, ["send"], text), 1);
    },
  );

  test("what is too large, or no UTF-8, is refused: 1", async () => {
    await using hub = await startHub();
    onlyLine(await worker(hub, ["send"], `{"x":"${"x".repeat(1_048_560)}"}`), 1);
    onlyLine(await worker(hub, ["send"], `{"x":"${"x".repeat(2_000_000)}"}`), 1);
    onlyLine(await worker(hub, ["send"], Buffer.from([0x7b, 0xff, 0x7d])), 1);
  });

  test("a wrong secret: 1", async () => {
    await using hub = await startHub();
    const env = { WORKER_SECRET: "9e107d9d372bb6826bd81d3542a419d6" };
    const line = onlyLine(await runCli(["worker", "send", COMMAND, "--url", hub.url], { env }), 1);
    expect(line).toContain("refuses the worker secret");
  });
});
