import { afterAll, beforeAll, describe, expect } from "bun:test";
import { publishLines, publishOne } from "../support/api.ts";
import { browserOfFile, browserTest } from "../support/browser.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { openConsole } from "./console.ts";

// The live tail: filters, search, pause, replay, one message in full, ten thousand of them.

let hub: Hub;
const launched = browserOfFile();
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

const message = (type: string, text: string): string => JSON.stringify({ type, text });

/** Looks at every frame until ten thousand are held, and says how many rows there were at most. */
const MOST_ROWS = `new Promise((resolve) => {
  let most = 0;
  const look = () => {
    most = Math.max(most, document.querySelectorAll("#rows > *").length);
    if (document.querySelector("#tail-status").textContent === "10,000 lines") resolve(most);
    else requestAnimationFrame(look);
  };
  look();
})`;

browserTest("it filters by type, searches, and both at once", async () => {
  await using page = await openConsole(await launched(), hub);
  for (const [type, text] of [
    ["FRUIT", "apple one"],
    ["FRUIT", "Pear two"],
    ["TREE", "apple three"],
  ] as const)
    await publishOne(hub, message(type, text));
  await page.showsRows(["apple one", "Pear two", "apple three"]);
  const fruit = page.page.getByRole("button", { name: /^FRUIT/ });
  await fruit.click();
  expect(await fruit.getAttribute("aria-pressed")).toBe("true");
  await page.showsRows(["apple one", "Pear two"]);
  const search = page.page.getByLabel("Search in messages");
  await search.fill("APPLE");
  await page.showsRows(["apple one"]);
  await publishOne(hub, message("FRUIT", "another apple"));
  await page.showsRows(["apple one", "another apple"]);
  await page.shows("tail-status", "2 of 4 lines pass the filter");
  await fruit.click();
  await page.showsRows(["apple one", "apple three", "another apple"]);
  await search.fill("(.*");
  await page.showsRows([]);
  await search.fill("");
  await page.showsRows(["apple one", "Pear two", "apple three", "another apple"]);
  page.expectNoComplaints();
});

browserTest("it pauses and goes on, by button and by key", async () => {
  await using page = await openConsole(await launched(), hub);
  await publishOne(hub, message("P", "before"));
  await page.showsRows(["before"]);
  await page.button("Pause").click();
  await publishOne(hub, message("P", "during"));
  await page.shows("tail-status", "Paused, 1 more since");
  await page.showsRows(["before"]);
  await page.page.locator("#list").focus();
  await page.page.keyboard.press("p");
  await page.showsRows(["before", "during"]);
  page.expectNoComplaints();
});

browserTest("it replays what came after a cursor, from a message and all that is held", async () => {
  await using page = await openConsole(await launched(), hub);
  const first = await publishOne(hub, message("R", "number 1"));
  await publishOne(hub, message("R", "number 2"));
  await publishOne(hub, message("R", "number 3"));
  await page.showsRows(["number 1", "number 2", "number 3"]);
  await page.page.getByLabel("Replay after this cursor").fill(first);
  await page.button("Replay").click();
  await page.shows("page-lead", "Replayed 2 messages");
  await page.showsRows(["number 2", "number 3"]);
  await page.rows.first().click();
  await page.button("Replay from here").click();
  await page.showsRows(["number 3"]);
  await publishOne(hub, message("R", "number 4"));
  await page.showsRows(["number 3", "number 4"]);
  await page.button("All held").click();
  await page.rows.filter({ hasText: "number 1" }).waitFor();
  await page.page.getByLabel("Replay after this cursor").fill("no-such-cursor");
  await page.button("Replay").click();
  await page.shows("page-lead", /^Gap: .*does not know that cursor/);
  page.expectNoComplaints();
});

browserTest("a message is opened as JSON laid out, with every digit, and copied as it was sent", async () => {
  await using page = await openConsole(await launched(), hub, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const text = '{"type":"BIG", "id":9223372036854775807,"ratio":1.0,"list":[],"in":{"e":1e3}}';
  const cursor = await publishOne(hub, text);
  await page.rows.filter({ hasText: "9223372036854775807" }).click();
  await page.shows("message-cursor", cursor);
  expect(await page.page.locator("#message-json").textContent()).toBe(
    `{\n  "type": "BIG",\n  "id": 9223372036854775807,\n  "ratio": 1.0,\n  "list": [],\n  "in": {\n    "e": 1e3\n  }\n}`,
  );
  await page.button("Copy JSON").click();
  await page.button("Copied").waitFor();
  expect(await page.page.evaluate("navigator.clipboard.readText()")).toBe(text);
  await page.page.keyboard.press("Escape");
  await page.page.locator("#message").waitFor({ state: "hidden" });
  page.expectNoComplaints();
});

browserTest("the list goes by keys: rows, ends, open and close", async () => {
  await using page = await openConsole(await launched(), hub);
  const lines = Array.from({ length: 200 }, (_, n) => message("K", `key ${n}.`));
  await publishLines(hub, lines);
  await page.rows.filter({ hasText: "key 199." }).waitFor();
  const { keyboard } = page.page;
  const active = page.page.locator("#rows [aria-selected=true]");
  await page.page.locator("#list").focus();
  await keyboard.press("Home");
  await keyboard.press("ArrowDown");
  // The first line is the note about the start, where there is one, or the first message.
  await active.filter({ hasText: /key [01]\./ }).waitFor();
  await keyboard.press("End");
  await active.filter({ hasText: "key 199." }).waitFor();
  await keyboard.press("ArrowUp");
  await active.filter({ hasText: "key 198." }).waitFor();
  expect(await page.page.locator("#list").getAttribute("aria-activedescendant")).toBe(
    await active.getAttribute("id"),
  );
  await keyboard.press("Enter");
  await page.shows("message-json", "key 198.");
  await keyboard.press("ArrowUp");
  await page.shows("message-json", "key 197.");
  await keyboard.press("Escape");
  await page.page.locator("#message").waitFor({ state: "hidden" });
  await keyboard.press("?");
  await page.page.getByRole("dialog").waitFor();
  page.expectNoComplaints();
});

describe("ten thousand messages", () => {
  browserTest("leave a screenful of rows in the document, and the oldest go", async () => {
    await using page = await openConsole(await launched(), hub);
    const most = page.page.evaluate<number>(MOST_ROWS);
    for (let batch = 0; batch < 12; batch += 1) {
      const lines = Array.from({ length: 1_000 }, (_, n) => message("MANY", `number ${batch * 1_000 + n}.`));
      await publishLines(hub, lines);
    }
    expect(await most).toBeLessThan(100);
    await page.rows.filter({ hasText: "number 11999." }).waitFor();
    await page.page.locator("#list").focus();
    await page.page.keyboard.press("Home");
    await page.rows.filter({ hasText: "number 2000." }).waitFor();
    await page.button("Latest").click();
    await page.rows.filter({ hasText: "number 11999." }).waitFor();
    expect(await page.page.locator("#rows > *").count()).toBeLessThan(100);
    page.expectNoComplaints();
  });
});
