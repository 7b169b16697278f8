import { describe, expect, test } from "bun:test";
import { publishLines, publishOne } from "../../support/api.ts";
import { publishAt, startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { startHub } from "../../support/hub.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { numbered } from "../../support/publish.ts";

// `vectra-hub tail` and a connection that does not last.

const numbersOf = (lines: readonly string[]): number[] =>
  lines.map((line) => Number(/"n":(\d+)/.exec(line)?.[1]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("comes back", () => {
  test("after a hub was killed or stopped, and prints every message once", async () => {
    await using folder = await createFolder();
    await using hub = createMortalHub({ HISTORY_FILE: folder.file("history.db") });
    hub.start();
    await hub.up();
    await using cli = startCli(["tail", "--url", hub.url, "--since", "earliest", "--types", "DOC_UPDATE"]);
    for (let round = 0; round < 4; round += 1) {
      await publishAt(hub.url, numbered(100, round * 200));
      await cli.lines(round * 200 + 100);
      if (round < 2) await hub.kill();
      else await hub.stop();
      hub.start();
      await hub.up();
      await publishAt(hub.url, numbered(100, round * 200 + 100));
    }
    expect(numbersOf(await cli.lines(800))).toEqual(upTo(800));
    expect(cli.stderr.filter((line) => line.includes("connection lost"))).toHaveLength(4);
    expect(cli.stderr.filter((line) => line.includes("missing"))).toEqual([]);
  });

  test("after a hub that kept its history in memory was killed, and says that messages may be missing", async () => {
    await using hub = createMortalHub({});
    hub.start();
    await hub.up();
    await using cli = startCli(["tail", "--url", hub.url, "--since", "earliest"]);
    await publishAt(hub.url, numbered(1));
    const [first = ""] = await cli.lines(1);
    await hub.kill();
    hub.start();
    await hub.up();
    const cursor = first.split("  ")[0] ?? "";
    await cli.message("the warning", (line) => line.includes(`missing after ${cursor}`));
    await publishAt(hub.url, numbered(1, 1));
    expect(numbersOf(await cli.lines(2))).toEqual([0, 1]);
  });

  test("after a hub has fallen silent", async () => {
    await using hub = await startHub({ env: { HEARTBEAT_INTERVAL_MS: "200" } });
    await using cli = startCli(["tail", "--url", hub.url]);
    await cli.message("the greeting", (line) => line.includes("connected"));
    await publishOne(hub, '{"n":0}');
    await cli.lines(1);
    hub.kill("SIGSTOP");
    await cli.message("the silence", (line) => line.includes("nothing came"));
    hub.kill("SIGCONT");
    await within(
      (async () => {
        while (cli.stderr.filter((line) => line.includes("connected to")).length < 2) await Bun.sleep(10);
      })(),
      "the second greeting",
    );
    await publishOne(hub, '{"n":1}');
    expect(numbersOf(await cli.lines(2))).toEqual([0, 1]);
  });

  test("when the hub's goodbye says, and not before", async () => {
    const AFTER_MS = 1_500;
    const arrivals: { readonly atMs: number; readonly since: string | null }[] = [];
    await using hub = Bun.serve<{ since: string | null }>({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request, server) {
        const data = { since: new URL(request.url).searchParams.get("since") };
        const headers = { "sec-websocket-protocol": "vectra.stream.v1" };
        return server.upgrade(request, { data, headers }) ? undefined : new Response(null, { status: 426 });
      },
      websocket: {
        open(socket) {
          arrivals.push({ atMs: performance.now(), since: socket.data.since });
          const worker = { status: "offline", metadata: null };
          const start = { cursor: "a-7", resumed: true, heartbeat_ms: 25_000, worker };
          socket.send(JSON.stringify({ type: "hello", conn_id: "00000000", ...start }));
          // What a later version may send is passed over.
          for (const odd of ["pong", "[]", '{"type":"later"}', '{"type":"message"}']) socket.send(odd);
          socket.send('{"type":"message","id":"a-8","data":{"n":0}}');
          if (arrivals.length > 1) return;
          const goodbye = { type: "goodbye", reason: "shutdown", reconnect_after_ms: AFTER_MS };
          socket.send(JSON.stringify(goodbye));
          socket.close(1012, "the hub is restarting");
        },
        message: () => undefined,
      },
    });
    await using cli = startCli(["tail", "--url", `http://127.0.0.1:${hub.port}`]);
    await cli.lines(2);
    const [first, second] = arrivals;
    expect({ first: first?.since, second: second?.since }).toEqual({ first: null, second: "a-8" });
    // Without the goodbye it would have come within half a second.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(AFTER_MS - 50);
  });
});

describe("a reader that pauses", () => {
  test("costs no memory and no message", async () => {
    const MESSAGES = 3_000;
    await using hub = await startHub({
      env: { SLOW_CONSUMER_BYTES: "1048576", HEARTBEAT_INTERVAL_MS: "1000" },
    });
    // Reads nothing until a byte comes on standard input.
    const script = '"$@" < /dev/null | { head -c 1 <&3 > /dev/null; cat; }';
    await using cli = startCli(["tail", "--url", hub.url, "--since", "earliest"], {
      wrapper: ["sh", "-c", `exec 3<&0; ${script}`, "sh"],
    });
    await cli.message("the greeting", (line) => line.includes("connected"));
    const pad = "x".repeat(10_000);
    for (let first = 0; first < MESSAGES; first += 100) {
      await publishLines(
        hub,
        Array.from({ length: 100 }, (_, index) => `{"n":${first + index},"pad":"${pad}"}`),
      );
    }
    // 30 MB for a reader that takes none: the hub gives the connection up.
    await hub.waitForLog("the slow consumer", (line) => line.msg === "Too slow for the stream");
    expect(cli.stdout).toHaveLength(0);
    cli.write("g");
    expect(numbersOf(await cli.lines(MESSAGES))).toEqual(upTo(MESSAGES));
    expect(cli.stderr.filter((line) => line.includes("missing"))).toEqual([]);
  });
});
