import { describe, expect, test } from "bun:test";
import { type Cli, onlyLine, publishAt, runCli, serveBy, startCli, urlOf } from "../../support/cli.ts";
import { createFolder } from "../../support/folder.ts";
import { type HubEnv, startHub } from "../../support/hub.ts";
import { writeSelfSigned } from "../../support/self-signed.ts";

// How the commands that talk to a hub find it.

const portOf = (url: string): string => new URL(url).port;

/** Every kind of command reaches the hub: by HTTP, as a client and as a worker. */
async function expectReached(shown: string, env: HubEnv, args: readonly string[] = []): Promise<void> {
  await using tail: Cli = startCli(["tail", "--json", "--types", "MARK", ...args], { env });
  await tail.message("the greeting", (line) => line.includes(`connected to ${shown}`));
  await using demo: Cli = startCli(["demo", ...args], { env });
  await demo.line("the greeting", (line) => line.startsWith(`connected to ${shown} `));
  expect((await runCli(["worker", "status", ...args], { env })).stdout).toContain("online");
  expect((await runCli(["publish", '{"type":"MARK"}', ...args], { env })).exitCode).toBe(0);
  await tail.line("the message", (line) => line.includes("MARK"));
}

describe("without --url, where the hub's own settings put it:", () => {
  test("PORT, whatever else the environment says", async () => {
    await using hub = await startHub();
    const proxy = "http://127.0.0.1:1";
    const env = { PORT: portOf(hub.url), HTTP_PROXY: proxy, http_proxy: proxy, ALL_PROXY: proxy };
    await expectReached(hub.url, env);
  });

  test("HOST and PORT", async () => {
    await using hub = await startHub({ env: { HOST: "::1" } });
    await expectReached(hub.url, { HOST: "::1", PORT: portOf(hub.url) });
  });

  test("TLS_CERT_FILE: whatever certificate it has", async () => {
    await using folder = await createFolder();
    const { cert, key } = await writeSelfSigned(folder);
    const env = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
    await using hub = await serveBy(env);
    await expectReached(urlOf(hub), { ...env, PORT: portOf(urlOf(hub)) });
  });

  test("UNIX_SOCKET", async () => {
    await using folder = await createFolder();
    const env = { UNIX_SOCKET: folder.file("hub.sock") };
    await using _hub = await serveBy(env);
    await expectReached(`unix:${env.UNIX_SOCKET}`, env);
    for (const url of [`unix:${env.UNIX_SOCKET}`, `unix://${env.UNIX_SOCKET}`])
      await expectReached(`unix:${env.UNIX_SOCKET}`, {}, ["--url", url]);
  });

  test("WS_PATHS", async () => {
    const env = { WS_PATHS: "/stream,/other" };
    await using hub = await startHub({ env });
    await expectReached(hub.url, { ...env, PORT: portOf(hub.url) });
    const missed = onlyLine(await runCli(["tail", "--url", hub.url]), 1);
    expect(missed).toContain("404 to /api/v1/ws");
    expect(missed).toContain("WS_PATHS");
  });

  const unclear: Record<string, HubEnv> = {
    "PORT=0": { PORT: "0" },
    "PORT=eight": { PORT: "eight" },
    "WS_PATHS=ws": { WS_PATHS: "ws" },
  };
  test.each(Object.keys(unclear))("%s is one line and exit code 2", async (named) => {
    const line = onlyLine(await runCli(["tail"], { env: unclear[named] ?? {} }), 2);
    expect(line).toContain(named);
  });
});

describe("with --url", () => {
  test("settings that only the hub uses, and those that say where it is, do not matter", async () => {
    await using hub = await startHub();
    const env = {
      PORT: "eight",
      HOST: "nowhere.invalid",
      TLS_CERT_FILE: "/nonexistent",
      ENV: "prod",
      HISTORY_MESSAGES: "x",
      LOG_LEVEL: "loud",
    };
    await expectReached(hub.url, env, ["--url", hub.url]);
    await expectReached(hub.url, env, ["--url", `${hub.url.replace("http", "ws")}/`]);
  });

  test("a path is put in front of the hub's own, as behind a proxy", async () => {
    await using hub = await startHub();
    await using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const { pathname, search } = new URL(request.url);
        if (!pathname.startsWith("/vectra/")) return new Response(null, { status: 404 });
        const { method, headers, body } = request;
        return fetch(`${hub.url}${pathname.slice("/vectra".length)}${search}`, { method, headers, body });
      },
    });
    const url = `http://127.0.0.1:${proxy.port}/vectra/`;
    expect((await runCli(["publish", "{}", "--url", url])).exitCode).toBe(0);
    expect((await runCli(["worker", "status", "--url", url])).stdout).toContain("offline");
  });

  test("a certificate that is not trusted is refused, in one line, before the secret is sent", async () => {
    await using folder = await createFolder();
    const { cert, key } = await writeSelfSigned(folder);
    await using hub = await serveBy({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key });
    const args = ["--url", urlOf(hub)];
    for (const command of [["publish", "{}"], ["worker", "status"], ["tail"], ["demo"]]) {
      const line = onlyLine(await runCli([...command, ...args]), 1);
      expect(line).toContain("NODE_EXTRA_CA_CERTS");
      const other = onlyLine(await runCli([...command, ...args], { env: { NODE_EXTRA_CA_CERTS: cert } }), 1);
      expect(other).toContain("for another name");
    }
    expect(hub.stderr.filter((line) => line.includes("websocket_endpoint"))).toEqual([]);
  });

  test("http where the hub speaks https, and the reverse, are one line each", async () => {
    await using folder = await createFolder();
    const { cert, key } = await writeSelfSigned(folder);
    await using encrypted = await serveBy({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key });
    await using plain = await startHub();
    for (const url of [urlOf(encrypted).replace("https", "http"), plain.url.replace("http", "https")]) {
      for (const command of [["worker", "status"], ["tail"]])
        expect(onlyLine(await runCli([...command, "--url", url]), 1)).toContain("https://");
    }
  });
});

test("publishAt, which these tests publish with, fails where the hub refuses", async () => {
  await using hub = await startHub();
  expect(await publishAt(hub.url, ["{}"])).toHaveLength(1);
  await expect(publishAt(hub.url, ["["])).rejects.toThrow("400");
});
