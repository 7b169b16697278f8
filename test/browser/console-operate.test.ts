import { afterAll, beforeAll, expect } from "bun:test";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { type Hub, SECRET, startHub } from "../support/hub.ts";
import { joinClient, joinWorker, OFFLINE } from "../support/parties.ts";
import { type Console, openConsole } from "./console.ts";

// What the console does with the secret: publish, send to the worker, the hub's stats.

let hub: Hub;
const launched = browserOfFile();
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

/** Everything in which a page could leave something behind. */
const TRACES = `JSON.stringify([
  location.href,
  document.documentElement.outerHTML,
  Object.entries(localStorage),
  Object.entries(sessionStorage),
  document.cookie,
  history.state,
])`;

async function traces({ page }: Console): Promise<string> {
  return await page.evaluate<string>(TRACES);
}

browserTest("it publishes the very text that is typed, and says where it stands", async () => {
  await using page = await openConsole(await launched(), hub);
  const client = await joinClient(hub, OFFLINE);
  await page.unlock();
  await page.shows("stats", /Clients\s*2 WebSocket, 0 SSE/);
  const text = '{"type":"NOTICE", "id":9007199254740993}';
  await page.page.getByLabel("Publish to every client").fill(text);
  await page.button("Publish").click();
  await page.shows("publish-result", /^Published as [\w-]+, 2 receivers$/);
  expect(await client.next()).toBe(text);
  await page.rows.filter({ hasText: "9007199254740993" }).waitFor();
  await page.page.getByLabel("Publish to every client").fill("[1]");
  await page.page.keyboard.press("Control+Enter");
  await page.shows("publish-result", "A message is a JSON object");
  await page.page.getByLabel("Publish to every client").fill('{"type":');
  await page.button("Publish").click();
  await page.shows("publish-result", "This is no JSON");
  await client.close();
  page.expectNoComplaints();
});

browserTest("it sends a command, and says what becomes of it", async () => {
  await using page = await openConsole(await launched(), hub);
  await page.unlock();
  await page.page.getByLabel("Send to the worker").fill('{"type":"TRIGGER","n":1}');
  await page.button("Send").click();
  await page.shows("command-result", /: queued, 0 attempts$/);
  await page.shows("worker-queued", "1");
  const worker = await joinWorker(hub);
  expect(await worker.next()).toBe('{"type":"TRIGGER","n":1}');
  await page.shows("command-result", /: acknowledged, 1 attempt$/);
  await page.shows("worker-queued", "0");
  await worker.close();
  await page.shows("worker-state", "Offline");
  await page.page.getByLabel("refuse while it is offline").check();
  await page.button("Send").click();
  await page.shows("command-result", /^409: /);
  page.expectNoComplaints(/status of 409/);
});

browserTest("the secret is nowhere but in memory, and a wrong one is said to be wrong", async () => {
  await using page = await openConsole(await launched(), hub);
  await page.button("Operate").click();
  await page.page.getByLabel("Worker secret").fill("not the secret");
  await page.button("Unlock").click();
  await page.shows("secret-result", /^Not accepted. 401: /);
  await page.page.locator("#unlocked").waitFor({ state: "hidden" });
  await page.page.getByLabel("Worker secret").fill(SECRET);
  expect(await traces(page)).not.toContain(SECRET);
  await page.button("Unlock").click();
  await page.page.locator("#unlocked").waitFor();
  expect(await traces(page)).not.toContain(SECRET);
  expect(await page.page.locator("#secret").inputValue()).toBe("");
  expect(page.requests().filter((url) => url.includes(SECRET))).toEqual([]);
  await page.button("Lock").click();
  await page.page.locator("#unlocked").waitFor({ state: "hidden" });
  page.expectNoComplaints(/status of 401/);
});
