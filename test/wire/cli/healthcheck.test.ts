import { describe, expect, test } from "bun:test";
import { type CliOptions, type CliResult, onlyLine, runCli, serveBy, urlOf } from "../../support/cli.ts";
import { createFolder } from "../../support/folder.ts";
import { type HubEnv, startHub } from "../../support/hub.ts";
import { lastingPort } from "../../support/port.ts";
import { writeSelfSigned } from "../../support/self-signed.ts";

// `vectra-hub healthcheck`: what an image without a shell has for HEALTHCHECK.

const check = (args: readonly string[] = [], options: CliOptions = {}): Promise<CliResult> =>
  runCli(["healthcheck", ...args], options);

function expectReady({ exitCode, stdout, stderr }: CliResult, address: string): void {
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: `ready: ${address}`, stderr: "" });
}

const portOf = (url: string): string => new URL(url).port;

describe("a hub that is ready is found", () => {
  test("by PORT from the environment and from a flag", async () => {
    await using hub = await startHub();
    const port = portOf(hub.url);
    expectReady(await check([], { env: { PORT: port } }), hub.url);
    expectReady(await check(["--port", port], { env: { PORT: "1" } }), hub.url);
  });

  test("by HOST, where it listens on another address", async () => {
    await using hub = await startHub({ env: { HOST: "::1" } });
    expectReady(await check([], { env: { HOST: "::1", PORT: portOf(hub.url) } }), hub.url);
  });

  test("where it listens on every address", async () => {
    await using hub = await startHub({ env: { HOST: undefined } });
    const port = portOf(hub.url);
    for (const host of [undefined, "::", "0.0.0.0"])
      expectReady(await check([], { env: { HOST: host, PORT: port } }), `http://127.0.0.1:${port}`);
  });

  test("on OPS_PORT, where health is not on PORT", async () => {
    const env = { OPS_PORT: String(lastingPort()) };
    await using hub = await startHub({ env });
    const url = `http://127.0.0.1:${env.OPS_PORT}`;
    // On PORT there is no /readyz.
    expect(onlyLine(await check([], { env: { PORT: portOf(hub.url) } }), 1)).toContain("404");
    expectReady(await check([], { env: { ...env, PORT: "1" } }), url);
    expectReady(await check([], { env: { ...env, OPS_HOST: "0.0.0.0", UNIX_SOCKET: "/none" } }), url);
  });

  test("over TLS, with a certificate that nobody has signed", async () => {
    await using folder = await createFolder();
    const { cert, key } = await writeSelfSigned(folder);
    const env = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
    await using hub = await serveBy(env);
    const url = urlOf(hub);
    expect(url).toStartWith("https://");
    expectReady(await check([], { env: { ...env, PORT: portOf(url) } }), url);
    expect(onlyLine(await check([], { env: { PORT: portOf(url) } }), 1)).toContain("not ready");
  });

  test("on a unix socket", async () => {
    await using folder = await createFolder();
    const env = { UNIX_SOCKET: folder.file("hub.sock") };
    await using _hub = await serveBy(env);
    expectReady(await check([], { env }), `unix:${env.UNIX_SOCKET}`);
  });

  test("past a proxy that the environment names", async () => {
    await using hub = await startHub();
    const proxy = "http://127.0.0.1:1";
    const env = { PORT: portOf(hub.url), HTTP_PROXY: proxy, http_proxy: proxy, ALL_PROXY: proxy };
    expectReady(await check([], { env }), hub.url);
  });

  test("whatever the settings that it does not use", async () => {
    await using hub = await startHub();
    const env = { PORT: portOf(hub.url), ENV: "prod", HISTORY_MESSAGES: "x", WORKER_SECRET: undefined };
    expectReady(await check([], { env }), hub.url);
  });
});

describe("is one line and exit code 1, which HEALTHCHECK calls unhealthy:", () => {
  test("nobody listens", async () => {
    const line = onlyLine(await check([], { env: { PORT: String(lastingPort()) } }), 1);
    expect(line).toMatch(/not ready: .*ECONNREFUSED/);
  });

  test("no socket is there", async () => {
    expect(onlyLine(await check(["--unix-socket", "/nonexistent/hub.sock"]), 1)).toContain(
      "/nonexistent/hub.sock",
    );
  });

  test("a hub that drains", async () => {
    await using hub = await startHub({ env: { DRAIN_DELAY_MS: "60000" } });
    hub.kill("SIGTERM");
    await hub.waitForLog("the drain", (line) => line.msg === "Stopping");
    const line = onlyLine(await check([], { env: { PORT: portOf(hub.url) } }), 1);
    expect(line).toContain("listener: the hub is stopping");
  });

  test("no answer in time", async () => {
    await using silent = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: () => undefined },
    }) as Bun.TCPSocketListener & AsyncDisposable;
    try {
      const line = onlyLine(await check(["--timeout-ms", "200"], { env: { PORT: String(silent.port) } }), 1);
      expect(line).toContain("200 ms");
    } finally {
      silent.stop(true);
    }
  });

  test("something else that answers", async () => {
    await using other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("?", { status: 503 }),
    });
    expect(onlyLine(await check([], { env: { PORT: String(other.port) } }), 1)).toContain("503");
  });

  const unclear: Record<string, readonly [args: readonly string[], env: HubEnv]> = {
    "a port that cannot be known": [[], { PORT: "0" }],
    "a port that is none": [[], { PORT: "eight" }],
    "a flag that is none": [["--prot", "1"], {}],
    "a time-out that is none": [["--timeout-ms", "0"], {}],
  };
  test.each(Object.keys(unclear))("%s", async (name) => {
    const [args, env] = unclear[name] ?? [[], {}];
    onlyLine(await check(args, { env }), 1);
  });
});
