import { expect } from "bun:test";
import { publishOne, sendCommand } from "../support/api.ts";
import { browserOfFile, browserTest, CONNECTION_FAILED } from "../support/browser.ts";
import { createFolder } from "../support/folder.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { joinRawWorker, joinWorker, register } from "../support/parties.ts";
import { lastingPort } from "../support/port.ts";
import { openConsole } from "./console.ts";

// What the console says of the worker, and of itself when the hub goes and comes.

const launched = browserOfFile();

browserTest("a worker comes, names itself, sends, hangs and goes; commands wait for it", async () => {
  await using hub = await startHub({
    env: { HEARTBEAT_INTERVAL_MS: "500", HEARTBEAT_TIMEOUT_MS: "60000", WORKER_TIMEOUT_MS: "5000" },
  });
  await using page = await openConsole(await launched(), hub);
  await page.shows("worker-state", "Offline");
  await sendCommand(hub, '{"type":"TRIGGER"}');
  await page.shows("worker-queued", "1");

  // It answers no ping: only what it sends shows that it lives.
  const worker = await joinRawWorker(hub);
  await page.shows("worker-state", "Online");
  await page.shows("worker-since", /Online since \d\d:\d\d:\d\d/);
  worker.text(
    register({ name: "indexer <b>7</b>", build: 0 }).replace('"build":0', '"build":9007199254740993'),
  );
  await page.shows("worker-metadata", '"name": "indexer <b>7</b>"');
  await page.shows("worker-metadata", "9007199254740993");
  worker.text('{"type":"DOC_UPDATE","id":"first"}');
  await page.rows.filter({ hasText: "first" }).waitFor();
  await page.shows("worker-state", "Silent");
  await page.shows("worker-state", "Offline");
  await page.shows("worker-since", /Gone since/);
  await page.shows("worker-flaps", /^1 since/);

  const next = await joinWorker(hub);
  await page.shows("worker-state", "Online");
  await next.close();
  await page.shows("worker-state", "Offline");
  await page.shows("worker-flaps", /^2 since/);
  await worker[Symbol.asyncDispose]();
  expect(await page.page.locator("#worker-metadata b").count()).toBe(0);
  page.expectNoComplaints();
});

browserTest("the hub restarts: the page resumes, says so, and has missed nothing", async () => {
  await using folder = await createFolder();
  const env = { PORT: String(lastingPort()), HISTORY_FILE: folder.file("history.db") };
  const hub = await startHub({ env });
  await using page = await openConsole(await launched(), hub);
  await publishOne(hub, '{"type":"A","text":"message 1"}');
  await page.rows.filter({ hasText: "message 1" }).waitFor();
  await hub.stop();
  await page.shows("link", /Reconnecting/);
  await page.shows("worker-state", "Unknown");

  await using again: Hub = await startHub({ env });
  for (const n of [2, 3, 4]) await publishOne(again, `{"type":"A","text":"message ${n}"}`);
  await page.shows("link", "Live");
  await page.shows("page-lead", /^Resumed after .* nothing missed$/);
  await page.shows("page-resumed", "1");
  await page.shows("page-resets", "0");
  await publishOne(again, '{"type":"A","text":"message 5"}');
  await page.showsRows(["message 1", "message 2", "message 3", "message 4", "message 5"]);
  page.expectNoComplaints(CONNECTION_FAILED);
});

browserTest("the hub comes back without its history: the page says that there is a gap", async () => {
  const env = { PORT: String(lastingPort()) };
  const hub = await startHub({ env });
  await using page = await openConsole(await launched(), hub);
  await hub.stop();
  await page.shows("link", /Reconnecting/);
  await using _again = await startHub({ env });
  await page.shows("page-lead", /^Gap: messages may be missing/);
  await page.shows("page-resets", "1");
  await page.shows("page-resumed", "0");
  expect(await page.page.locator("#rows .row.note[data-tone=bad]").count()).toBe(1);
});
