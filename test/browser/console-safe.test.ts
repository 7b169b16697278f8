import { afterAll, beforeAll, expect } from "bun:test";
import { publishOne } from "../support/api.ts";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { joinWorker, register } from "../support/parties.ts";
import { openConsole } from "./console.ts";

// What comes through the hub is text to the page, and nothing but its own script runs.

let hub: Hub;
const launched = browserOfFile();
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const MARKUP = `<img src=/stolen onerror="document.title='taken'"><script>document.title='taken'</script><a id=injected>`;

browserTest("markup in a message, its type and the worker's name stays text", async () => {
  await using page = await openConsole(await launched(), hub);
  const { page: tab } = page;
  await publishOne(hub, JSON.stringify({ type: `T${MARKUP}`, text: MARKUP, [MARKUP]: 1 }));
  const worker = await joinWorker(hub);
  worker.send(register({ name: MARKUP }));
  await page.rows.filter({ hasText: "<img src=/stolen" }).first().click();
  await page.shows("message-json", "<img src=/stolen onerror=");
  await page.shows("message-title", "<script>");
  await page.shows("worker-metadata", "<img src=/stolen");
  await page.shows("types", "<img src=/stolen");
  expect(await tab.locator("#injected, main img, main script").count()).toBe(0);
  expect(page.requests().filter((url) => url.includes("stolen"))).toEqual([]);
  expect(await tab.title()).toBe("vectra-hub");
  await worker.close();
  page.expectNoComplaints();
});

browserTest(
  "the policy stops an inline script, a handler, eval, a foreign request and markup made of text",
  async () => {
    await using page = await openConsole(await launched(), hub);
    const attempts = `(async () => {
    const script = document.createElement("script");
    try { script.text = "document.title = 'taken'"; } catch {}
    document.head.append(script);
    const image = new Image();
    image.src = "http://127.0.0.1:9/beacon";
    document.body.append(image);
    const outcomes = [];
    try { document.body.innerHTML += "<p>x"; outcomes.push("markup"); } catch {}
    try { await fetch("http://127.0.0.1:9/beacon"); outcomes.push("fetch"); } catch {}
    return outcomes;
  })()`;
    expect(await page.page.evaluate<string[]>(attempts)).toEqual([]);
    expect(await page.page.title()).toBe("vectra-hub");
    const violated = page.complaints().filter(({ kind }) => kind === "csp");
    expect(violated.map(({ text }) => text.split(" ")[0])).toEqual(
      expect.arrayContaining(["require-trusted-types-for", "img-src", "connect-src"]),
    );
  },
);

browserTest("an inline script that a proxy puts into the page does not run", async () => {
  await using tab = await (await launched()).open();
  await tab.page.route(`${hub.url}/`, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace("</body>", "<script>document.title='taken'</script></body>");
    await route.fulfill({ response, body });
  });
  await tab.page.goto(hub.url);
  await tab.page.locator("#link", { hasText: "Live" }).waitFor();
  expect(await tab.page.title()).toBe("vectra-hub");
  expect(tab.complaints().filter(({ kind }) => kind === "csp")).toEqual([
    { kind: "csp", text: expect.stringMatching(/^script-src-elem inline/) },
  ]);
});

browserTest("no other page can frame it", async () => {
  await using tab = await (await launched()).open();
  await using other = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () =>
      new Response(`<iframe src="${hub.url}"></iframe>`, { headers: { "content-type": "text/html" } }),
  });
  await tab.page.goto(other.url.href);
  const frame = tab.page.frameLocator("iframe");
  expect(await frame.locator("#link").count()).toBe(0);
  expect(tab.complaints().some(({ text }) => text.includes("frame-ancestors"))).toBe(true);
});
