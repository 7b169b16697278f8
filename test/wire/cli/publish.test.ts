import { describe, expect, test } from "bun:test";
import { type CliOptions, type CliResult, onlyLine, runCli, startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { type Hub, SECRET, startHub } from "../../support/hub.ts";
import { lastingPort } from "../../support/port.ts";
import { numbered, padded } from "../../support/publish.ts";
import { joinStream } from "../../support/streamclient.ts";

// `vectra-hub publish`: what arrives, what is printed, and how it ends.

interface Receipt {
  readonly ids: readonly string[];
  readonly receivers: object;
}

const receipts = (stdout: string): Receipt[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

function publish(
  hub: Pick<Hub, "url">,
  args: readonly string[],
  options: CliOptions & { readonly input?: string | Uint8Array } = {},
): Promise<CliResult> {
  return runCli(["publish", "--url", hub.url, ...args], options);
}

/** Everything that the stream holds, as cursors and texts. */
async function held(hub: Hub): Promise<{ ids: string[]; texts: string[] }> {
  await using client = await joinStream(hub, { since: "earliest" });
  const { messages } = await client.untilLive();
  return { ids: messages.map(({ id }) => id), texts: messages.map(({ data }) => data) };
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join("");

describe("publishes", () => {
  test("its arguments, byte for byte, and prints the receipt", async () => {
    await using hub = await startHub();
    const texts = ['{"type":"A","n":9007199254740993,"x":1.0}', '{ "b" : "é\u{1f40d}" }'];
    const { exitCode, stdout, stderr } = await publish(hub, texts);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const stream = await held(hub);
    expect(stream.texts).toEqual(texts);
    expect(receipts(stdout)).toEqual([{ ids: stream.ids, receivers: { websocket: 0, sse: 0 } }]);
  });

  test.each([[[]], [["-"]]])("the lines of standard input: %j", async (args) => {
    await using hub = await startHub();
    const texts = ['{"type":"A"}', '{"type":"B"}', '{"type":"C"}'];
    // Empty lines, CRLF, and no line end at the end.
    const { exitCode, stdout } = await publish(hub, args, {
      input: `${texts[0]}\r\n\n \t\n${texts[1]}\n${texts[2]}`,
    });
    expect(exitCode).toBe(0);
    const stream = await held(hub);
    expect(stream.texts).toEqual(texts);
    expect(receipts(stdout).flatMap(({ ids }) => ids)).toEqual(stream.ids);
  });

  test("nothing at all, and says nothing, where there is nothing", async () => {
    await using hub = await startHub();
    expect(await publish(hub, [])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("a large input in batches that a hub takes, in order", async () => {
    await using hub = await startHub();
    const texts = [...numbered(2_500), ...padded(20, 200_000, 2_500), ...padded(2, 1_048_000, 2_520)];
    const { exitCode, stdout } = await publish(hub, [], { input: lines(texts) });
    expect(exitCode).toBe(0);
    const stream = await held(hub);
    expect(stream.texts).toEqual(texts);
    expect(receipts(stdout).flatMap(({ ids }) => ids)).toEqual(stream.ids);
    expect(receipts(stdout).length).toBeGreaterThan(5);
  });

  test("batches divided for a hub that takes less", async () => {
    await using hub = await startHub({ env: { MAX_MESSAGE_BYTES: "1024", MAX_BATCH_BYTES: "4096" } });
    const texts = padded(50, 1_000);
    for (const run of ["the first time", "again"]) {
      const { exitCode, stdout } = await publish(hub, ["--key", "same"], { input: lines(texts) });
      expect({ run, exitCode }).toEqual({ run, exitCode: 0 });
      const stream = await held(hub);
      expect(stream.texts).toEqual(texts);
      expect(receipts(stdout).flatMap(({ ids }) => ids)).toEqual(stream.ids);
    }
  });

  test("lines as they come, without waiting for a batch to fill", async () => {
    await using hub = await startHub();
    await using cli = startCli(["publish", "--url", hub.url]);
    for (let n = 0; n < 3; n += 1) {
      cli.write(`{"n":${n}}\n`);
      await cli.lines(n + 1);
    }
    cli.endInput();
    expect(await within(cli.exited, "exit")).toBe(0);
    expect((await held(hub)).texts).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
  });

  test("with the secret of WORKER_SECRET_FILE, also beyond ASCII, and without any on a hub in development", async () => {
    await using folder = await createFolder();
    const secret = "sécret-€-0123456789abcdef0123456789";
    await Bun.write(folder.file("secret"), `${secret}\n`);
    await using hub = await startHub({ env: { WORKER_SECRET: secret } });
    const env = { WORKER_SECRET: undefined, WORKER_SECRET_FILE: folder.file("secret") };
    expect((await publish(hub, ["{}"], { env })).exitCode).toBe(0);

    await using development = await startHub({ env: { WORKER_SECRET: undefined } });
    expect((await publish(development, ["{}"], { env: { WORKER_SECRET: undefined } })).exitCode).toBe(0);
  });
});

test("--key: the same run again publishes nothing and prints the same receipts", async () => {
  await using hub = await startHub();
  const input = lines(numbered(2_500));
  const first = await publish(hub, ["--key", "run-1"], { input });
  expect(first.exitCode).toBe(0);
  expect(await publish(hub, ["--key", "run-1"], { input })).toEqual(first);
  expect((await held(hub)).texts).toHaveLength(2_500);
  // Another input under the same keys is a mistake.
  const other = await publish(hub, ["--key", "run-1"], { input: lines(numbered(1_000, 7)) });
  expect(onlyLine(other, 1)).toContain("422");
});

describe("a failure is one line:", () => {
  test("an argument that is no message: 2, and nothing is published", async () => {
    await using hub = await startHub();
    for (const wrong of ["{", "[]", '{"type":"WORKER_STATUS"}', ""]) {
      const line = onlyLine(await publish(hub, ['{"type":"A"}', wrong]), 2);
      expect(line).toContain("argument 2");
    }
    expect((await held(hub)).texts).toEqual([]);
  });

  const wrongLines: Record<string, string | Uint8Array> = {
    "no JSON": '{"n":',
    "no object": "7",
    "a reserved type": '{"type":"REGISTER_WORKER"}',
    "no UTF-8": Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  };
  test.each(Object.keys(wrongLines))("a line that is %s: 1, with its number", async (name) => {
    await using hub = await startHub();
    const input = Buffer.concat([
      Buffer.from(lines(numbered(1_500))),
      Buffer.from(wrongLines[name] ?? ""),
      Buffer.from(`\n${lines(numbered(5, 9_000))}`),
    ]);
    const { exitCode, stdout, stderr } = await publish(hub, ["--key", "k"], { input });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^vectra-hub: line 1501 .*the first 1000 messages have been published$/);
    expect(receipts(stdout).flatMap(({ ids }) => ids)).toEqual((await held(hub)).ids);
    // With the line mended, a repeat publishes what is missing.
    const mended = await publish(hub, ["--key", "k"], { input: lines(numbered(1_600)) });
    expect(mended.exitCode).toBe(0);
    expect((await held(hub)).texts).toEqual(numbered(1_600));
  });

  test("a message that is too large: 1, with its number, and those before it are published", async () => {
    await using hub = await startHub({ env: { MAX_MESSAGE_BYTES: "2048" } });
    const texts = [...numbered(6), ...padded(1, 3_000, 6), ...numbered(2, 7)];
    const { exitCode, stderr } = await publish(hub, [], { input: lines(texts) });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("message 7");
    expect((await held(hub)).texts).toEqual(numbered(6));
  });

  test("no hub is there: 1", async () => {
    const url = `http://127.0.0.1:${lastingPort()}`;
    const line = onlyLine(await publish({ url }, ["{}"]), 1);
    expect(line).toContain(`${url} cannot be reached: nothing listens there`);
    expect(line).toContain("--url");
  });

  test("something else is there: 1", async () => {
    await using other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) =>
        new URL(request.url).pathname.startsWith("/moved")
          ? Response.redirect("http://127.0.0.1:1/elsewhere", 307)
          : new Response("<html>", { headers: { "content-type": "text/html" } }),
    });
    const url = `http://127.0.0.1:${other.port}`;
    expect(onlyLine(await publish({ url }, ["{}"]), 1)).toContain("not as a hub would");
    const moved = onlyLine(await publish({ url: `${url}/moved/` }, ["{}"]), 1);
    expect(moved).toContain("points to http://127.0.0.1:1/elsewhere");
  });

  test("a wrong secret: 1, and it is not shown", async () => {
    await using hub = await startHub();
    const wrong = "9e107d9d372bb6826bd81d3542a419d6";
    const line = onlyLine(await publish(hub, ["{}"], { env: { WORKER_SECRET: wrong } }), 1);
    expect(line).toContain("WORKER_SECRET");
    expect(line).not.toContain(wrong.slice(0, 8));
    const unset = onlyLine(await publish(hub, ["{}"], { env: { WORKER_SECRET: undefined } }), 1);
    expect(unset).toContain("development secret");
  });

  test("no secret where there is no default, or two, or none that can be read: 2", async () => {
    const cases = {
      "ENV=production": { WORKER_SECRET: undefined, ENV: "production" },
      WORKER_SECRET_FILE: { WORKER_SECRET_FILE: "/dev/null" },
      "/nonexistent": { WORKER_SECRET: undefined, WORKER_SECRET_FILE: "/nonexistent" },
      WORKER_SECRET: { WORKER_SECRET: ` ${SECRET}` },
      ENV: { WORKER_SECRET: undefined, ENV: "prod" },
    };
    for (const [named, env] of Object.entries(cases)) {
      const line = onlyLine(await runCli(["publish", "{}"], { env }), 2);
      expect(line).toContain(named);
      expect(line).not.toContain(SECRET.slice(0, 8));
    }
  });
});

describe("signals and pipes:", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it with %d while it waits for input", async (signal, exitCode) => {
    await using hub = await startHub();
    await using cli = startCli(["publish", "--url", hub.url]);
    cli.write("{}\n");
    await cli.lines(1);
    cli.kill(signal);
    expect(await within(cli.exited, "exit")).toBe(exitCode);
    expect(cli.stderr).toEqual([]);
  });

  test("nobody who reads the receipts: everything is published, quietly", async () => {
    await using hub = await startHub();
    const script = '{ "$@"; echo "exit code $?" >&2; } | true';
    const wrapper = ["sh", "-c", script, "sh"];
    await using cli = startCli(["publish", "--url", hub.url], { wrapper });
    for (let n = 0; n < 3_000; n += 1_000) {
      cli.write(lines(numbered(1_000, n)));
      await hubHolds(hub, n + 1_000);
    }
    cli.endInput();
    await within(cli.exited, "exit");
    expect(cli.stderr).toEqual(["exit code 0"]);
  });

  test("a closed standard input is an empty one", async () => {
    await using hub = await startHub();
    const wrapper = ["sh", "-c", '"$@" <&-', "sh"];
    await using cli = startCli(["publish", "--url", hub.url], { wrapper });
    expect(await within(cli.exited, "exit")).toBe(0);
    expect(cli.stderr).toEqual([]);
  });
});

async function hubHolds(hub: Hub, count: number): Promise<void> {
  const poll = async (): Promise<void> => {
    while ((await held(hub)).texts.length < count) await Bun.sleep(10);
  };
  await within(poll(), `${count} messages at the hub`);
}
