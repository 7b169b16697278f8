import { beforeAll, expect, setDefaultTimeout } from "bun:test";
import { resolve } from "node:path";
import type { Page } from "playwright-core";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { publishAt } from "../support/cli.ts";
import { within } from "../support/deadline.ts";
import { createFolder } from "../support/folder.ts";
import { startHub } from "../support/hub.ts";
import { createMortalHub } from "../support/mortal-hub.ts";
import { createProxy, type FaultProxy } from "../support/proxy.ts";
import { numbered } from "../support/publish.ts";

// The client library in Chromium, behind a proxy that cuts its connections, and in front of a hub that is killed.

setDefaultTimeout(90_000);

const TRANSPORTS = ["websocket", "sse"] as const;
/** From the last byte to the first: Chromium holds up a page most of whose handshakes have failed so far. */
const CUTS = 800;

const launched = browserOfFile();
let script = "";

beforeAll(async () => {
  const built = await Bun.build({
    entrypoints: [resolve(import.meta.dir, "../../src/client/index.ts")],
    target: "browser",
    format: "esm",
  });
  script = (await built.outputs[0]?.text()) ?? "";
});

/** Opens a tab that is subscribed; what it gets is in `texts` and `resets` of its window. */
async function subscribed(page: Page, url: string, options: object): Promise<void> {
  await page.addScriptTag({
    type: "module",
    content: `${script}
      window.texts = []; window.resets = [];
      window.connection = connect(${JSON.stringify(url)}, {
        backoff: { firstMs: 2, limitMs: 10 }, ...${JSON.stringify(options)},
        onMessage: ({ text }) => window.texts.push(text),
        onReset: ({ reason }) => { if (reason !== "start") window.resets.push(reason); },
      });`,
  });
}

// A module's script runs when it has been compiled: until then the page has received nothing.
const textsOf = (page: Page): Promise<string[]> => page.evaluate("window.texts ?? []");
const resetsOf = (page: Page): Promise<string[]> => page.evaluate("window.resets ?? []");
const until = (page: Page, condition: string): Promise<unknown> =>
  page.waitForFunction(condition, undefined, { timeout: 60_000, polling: 20 });

async function cutEverywhere(
  page: Page,
  proxy: FaultProxy,
  publish: (text: string) => Promise<unknown>,
): Promise<string[]> {
  const published: string[] = [];
  while (proxy.acceptedAtMs.length <= CUTS) {
    const [text = ""] = numbered(1, published.length);
    await publish(text);
    published.push(text);
    const seen = proxy.acceptedAtMs.length;
    const isOver = async (): Promise<void> => {
      while (proxy.acceptedAtMs.length === seen && (await textsOf(page)).length < published.length)
        await Bun.sleep(1);
    };
    await within(isOver(), "the message, or the next connection");
  }
  await until(page, `window.texts?.length >= ${published.length}`);
  return published;
}

for (const transport of TRANSPORTS) {
  browserTest(`misses and repeats nothing when it is cut after each byte: ${transport}`, async () => {
    await using hub = await startHub({ env: { ALLOWED_ORIGINS: "*" } });
    await using proxy = createProxy(hub.url);
    proxy.plan((connection) =>
      connection < CUTS
        ? { cutDownBytes: CUTS - connection, cutBy: connection % 2 === 0 ? "reset" : "end" }
        : {},
    );
    await using tab = await (await launched()).open();
    await subscribed(tab.page, proxy.url, { transport, since: "earliest" });
    const published = await cutEverywhere(tab.page, proxy, (text) => publishAt(hub.url, [text]));
    expect(await textsOf(tab.page)).toEqual(published);
    expect(await resetsOf(tab.page)).toEqual([]);
  });

  browserTest(
    `notices a connection that has fallen silent, and a slow one loses nothing: ${transport}`,
    async () => {
      await using hub = await startHub({ env: { ALLOWED_ORIGINS: "*", HEARTBEAT_INTERVAL_MS: "300" } });
      await using proxy = createProxy(hub.url);
      proxy.plan(() => ({ delayMs: 20, bytesPerSecond: 40_000 }));
      await using tab = await (await launched()).open();
      await subscribed(tab.page, proxy.url, { transport, probeTimeoutMs: 500 });
      await until(tab.page, `window.connection.state === "open"`);
      const texts = numbered(400);
      await publishAt(hub.url, texts.slice(0, 200));
      await until(tab.page, "window.texts?.length >= 200");
      proxy.cutAll("silence");
      await publishAt(hub.url, texts.slice(200));
      await until(tab.page, "window.texts?.length >= 400");
      expect(await textsOf(tab.page)).toEqual(texts);
      expect(await resetsOf(tab.page)).toEqual([]);
    },
  );

  for (const hasFile of [true, false]) {
    browserTest(
      `a hub ${hasFile ? "with" : "without"} a history file is killed and started again: ${transport}`,
      async () => {
        await using folder = await createFolder();
        const file = hasFile ? { HISTORY_FILE: folder.file("history.db") } : {};
        await using hub = createMortalHub({ ALLOWED_ORIGINS: "*", ...file });
        hub.start();
        await within(hub.up(), "the hub");
        await using tab = await (await launched()).open();
        await subscribed(tab.page, hub.url, { transport, backoff: { firstMs: 20, limitMs: 100 } });
        await until(tab.page, `window.connection.state === "open"`);
        for (let round = 1; round <= 3; round += 1) {
          await publishAt(hub.url, numbered(20, (round - 1) * 20));
          await until(tab.page, `window.texts?.length >= ${round * 20}`);
          await hub.kill();
          hub.start();
          await within(hub.up(), "the hub, again");
          if (!hasFile) await until(tab.page, `window.resets?.length === ${round}`);
        }
        expect(await textsOf(tab.page)).toEqual(numbered(60));
        expect(await resetsOf(tab.page)).toEqual(hasFile ? [] : ["unknown", "unknown", "unknown"]);
      },
    );
  }
}
