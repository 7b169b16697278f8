import { describe, expect, test } from "bun:test";
import { publish, publishLines, publishOne } from "../../support/api.ts";
import { type Cli, type CliOptions, onlyLine, runCli, startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinWorker, OFFLINE, online } from "../../support/parties.ts";

// `vectra-hub tail`: what it prints, and how it ends. What it does when the connection is lost is in tail-resume.test.ts.

/** A tail that has been greeted. */
async function tail(hub: Hub, args: readonly string[] = [], options: CliOptions = {}): Promise<Cli> {
  const cli = startCli(["tail", "--url", hub.url, ...args], options);
  await cli.message("the greeting", (line) => line.includes(`connected to ${hub.url}`));
  return cli;
}

describe("prints", () => {
  test("cursor, type and message of each message, in order, from now on", async () => {
    await using hub = await startHub();
    await publishOne(hub, '{"type":"BEFORE"}');
    await using cli = await tail(hub);
    const ids = [
      await publishOne(hub, '{"type":"DOC_UPDATE","id":"b7a1","n":9007199254740993,"x":1.0}'),
      await publishOne(hub, '{"id":1}'),
      await publishOne(hub, '{"type":"two words"}'),
      await publishOne(hub, '{"type":7}'),
    ];
    expect(await cli.lines(4)).toEqual([
      `${ids[0]}  DOC_UPDATE  {"type":"DOC_UPDATE","id":"b7a1","n":9007199254740993,"x":1.0}`,
      `${ids[1]}  -  {"id":1}`,
      `${ids[2]}  ?  {"type":"two words"}`,
      `${ids[3]}  -  {"type":7}`,
    ]);
  });

  test("with --json the message byte for byte in its envelope", async () => {
    await using hub = await startHub();
    await using cli = await tail(hub, ["--json"]);
    const message =
      '{ "type" : "A", "a":1, "a":2, "n":9007199254740993, "data":{"data":"\u009b é \\u00e9"} }';
    const id = await publishOne(hub, message);
    expect(await cli.lines(1)).toEqual([`{"type":"message","id":"${id}","data":${message}}`]);
  });

  test("one line for a message of several, and nothing that a terminal would obey", async () => {
    await using hub = await startHub();
    await using people = await tail(hub);
    await using programs = await tail(hub, ["--json"]);
    const id = await publishOne(hub, '{"type":"A",\r\n"x":"\u009b31m\u202e\u007f"}');
    expect(await people.lines(1)).toEqual([`${id}  A  {"type":"A",  "x":"\\u009b31m\\u202e\\u007f"}`]);
    expect(await programs.lines(1)).toEqual([
      `{"type":"message","id":"${id}","data":{"type":"A",  "x":"\u009b31m\u202e\u007f"}}`,
    ]);
  });

  test("with --types these types and the worker's status alone", async () => {
    await using hub = await startHub();
    await using cli = await tail(hub, ["--json", "--types", "B,C"]);
    const worker = await joinWorker(hub);
    for (const type of ["A", "B", "C"]) worker.send(`{"type":"${type}"}`);
    await worker.close();
    const data = (await cli.lines(4)).map((line) => /"data":(.*)\}$/.exec(line)?.[1]);
    expect(data).toEqual([online(), '{"type":"B"}', '{"type":"C"}', OFFLINE]);
  });

  test("with --since what is held after a cursor, or all of it", async () => {
    await using hub = await startHub();
    const ids: string[] = [];
    for (const type of ["A", "B", "C"]) ids.push(await publishOne(hub, `{"type":"${type}"}`));
    await using after = await tail(hub, ["--since", ids[0] ?? ""]);
    await using all = await tail(hub, ["--since", "earliest"]);
    ids.push(await publishOne(hub, '{"type":"D"}'));
    const printed = (await all.lines(4)).map((line) => line.split("  ")[0]);
    expect(printed).toEqual(ids);
    expect(await after.lines(3)).toEqual((await all.lines(4)).slice(1));
  });

  test("the rest of the stream after a cursor that nobody knows, and says so", async () => {
    await using hub = await startHub();
    await using cli = await tail(hub, ["--since", "deadbeef-7"]);
    await cli.message("the warning", (line) => line.includes("missing") && line.includes("unknown"));
    await publishOne(hub, '{"type":"A"}');
    expect(await cli.lines(1)).toHaveLength(1);
  });

  test("the rest of the stream after a cursor that is evicted, and says so", async () => {
    await using hub = await startHub({ env: { HISTORY_MESSAGES: "10" } });
    const first = await publishOne(hub, '{"type":"A"}');
    await publishLines(hub, Array(50).fill('{"type":"A"}'));
    await using cli = await tail(hub, ["--since", first]);
    await cli.message("the warning", (line) => line.includes(first) && line.includes("evicted"));
  });
});

describe("ends", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("with 0 on %s", async (signal) => {
    await using hub = await startHub();
    await using cli = await tail(hub);
    cli.kill(signal);
    expect(await within(cli.exited, "exit")).toBe(0);
    expect(cli.stderr).toHaveLength(1);
  });

  test("with 0 and without a word when nobody reads its output any more", async () => {
    await using hub = await startHub();
    // The shell tells the exit code of the left side; head ends after one line.
    const script = '{ "$@"; echo "exit code $?" >&2; } | head -n 1';
    await using cli = await tail(hub, [], { wrapper: ["sh", "-c", script, "sh"] });
    await publishOne(hub, '{"type":"A"}');
    await cli.lines(1);
    await within(
      (async () => {
        // Only a write shows that the reader has gone.
        while (!cli.stderr.some((line) => line.startsWith("exit code"))) {
          await publishOne(hub, '{"type":"B"}');
          await Bun.sleep(10);
        }
      })(),
      "the exit code",
    );
    expect(cli.stderr.slice(1)).toEqual(["exit code 0"]);
  });

  test("with 1 and one line when the output cannot be written", async () => {
    await using hub = await startHub();
    await publishOne(hub, '{"type":"A"}');
    await using cli = await tail(hub, ["--since", "earliest"], {
      wrapper: ["sh", "-c", '"$@" > /dev/full', "sh"],
    });
    expect(await within(cli.exited, "exit")).toBe(1);
    expect(cli.stderr).toHaveLength(2);
    expect(cli.stderr[1]).toContain("standard output");
  });

  test("with 1 when the hub does not let it in; CLIENT_TOKEN lets it in", async () => {
    await using door = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) =>
        new Response(null, {
          status: request.headers.get("authorization") === "Bearer let-me-in" ? 200 : 403,
        }),
    });
    await using hub = await startHub({ env: { CLIENT_AUTH_URL: `http://127.0.0.1:${door.port}/` } });
    for (const token of [undefined, "wrong"]) {
      const refused = await runCli(["tail", "--url", hub.url], { env: { CLIENT_TOKEN: token } });
      expect(onlyLine(refused, 1)).toContain("1008 not authenticated");
    }
    await using cli = await tail(hub, [], { env: { CLIENT_TOKEN: "let-me-in" } });
    await publish(hub, '{"type":"A"}');
    await cli.lines(1);
  });

  test("with 2 for a CLIENT_TOKEN that no header can carry, and does not show it", async () => {
    const line = onlyLine(await runCli(["tail"], { env: { CLIENT_TOKEN: "a\nsecret" } }), 2);
    expect(line).toContain("CLIENT_TOKEN");
    expect(line).not.toContain("secret");
  });
});
