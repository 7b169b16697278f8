import { expect, test } from "bun:test";
import { startCli } from "../../support/cli.ts";
import { within } from "../../support/deadline.ts";
import { createFolder } from "../../support/folder.ts";
import { createMortalHub } from "../../support/mortal-hub.ts";
import { numbered } from "../../support/publish.ts";
import { overWebSocket } from "../../support/stream.ts";

// `vectra-hub publish` and `worker send` while the hub is killed and comes back.

test("publish goes on where it was, and publishes everything once", async () => {
  await using folder = await createFolder();
  await using hub = createMortalHub({ HISTORY_FILE: folder.file("history.db"), HISTORY_MESSAGES: "100000" });
  hub.start();
  await hub.up();
  const BATCHES = 12;
  await using cli = startCli(["publish", "--url", hub.url, "--key", "run"]);
  for (let batch = 0; batch < BATCHES; batch += 1) {
    cli.write(
      numbered(1_000, batch * 1_000)
        .join("\n")
        .concat("\n"),
    );
    // The last line of the batch before is what tells that it is full.
    await cli.lines(batch);
    if (batch % 3 !== 2) continue;
    await hub.kill();
    // Written while nobody listens.
    cli.write(`${numbered(1_000, BATCHES * 1_000 + batch * 1_000).join("\n")}\n`);
    await cli.message("the trouble", (line) => line.includes("trying again"));
    hub.start();
    await hub.up();
    await cli.lines(batch + 1);
  }
  cli.endInput();
  expect(await within(cli.exited, "exit")).toBe(0);

  const seen: string[] = [];
  const ids: string[] = [];
  const live = Promise.withResolvers<void>();
  const { drop } = overWebSocket({
    url: hub.url,
    since: "earliest",
    take(event) {
      if (event.kind === "message") {
        seen.push(event.text);
        ids.push(event.cursor);
      }
      if (event.kind === "live") live.resolve();
    },
  });
  await within(live.promise, "the whole history");
  drop();
  const receipts = cli.stdout.flatMap((line) => JSON.parse(line).ids);
  expect(ids).toEqual(receipts);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toHaveLength(1_000 * (BATCHES + 4));
});
