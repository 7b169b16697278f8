import { describe, expect, test } from "bun:test";
import { AUTHORIZED, call, publish } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { scrape } from "../../support/exposition.ts";
import { createFolder } from "../../support/folder.ts";
import { type Hub, startHub } from "../../support/hub.ts";
import { joinClient, joinWorker, register } from "../../support/parties.ts";
import { openRaw } from "../../support/rawsocket.ts";
import { testThatNeeds } from "../../support/skip.ts";
import { joinLiveSse } from "../../support/sse-stream.ts";
import { joinLive } from "../../support/streamclient.ts";
import { knock } from "../../support/visitor.ts";

// GET /metrics (PROTOCOL.md section 4): Prometheus can read it, and no peer can make it grow.

const PROMTOOL = Bun.which("promtool");
const promtoolTest = testThatNeeds("promtool (Debian: prometheus)", PROMTOOL !== null);

/** What Prometheus' own linter has to say; nothing when all is well. */
async function lint(hub: Hub): Promise<{ exitCode: number; output: string }> {
  const { body } = await call(hub, "/metrics", { headers: AUTHORIZED });
  const child = Bun.spawn([PROMTOOL ?? "promtool", "check", "metrics"], {
    stdin: Buffer.from(body),
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  const [exitCode, stdout, stderr] = await within(said, "promtool");
  return { exitCode, output: stdout + stderr };
}

/** Everything at once that has figures of its own. */
async function busyHub(): Promise<AsyncDisposableStack & { hub: Hub }> {
  const all = new AsyncDisposableStack();
  const folder = all.use(await createFolder());
  const env = {
    HISTORY_FILE: folder.file("history.sqlite"),
    CANARY_INTERVAL_MS: "50",
    CONFLATE: "DOC_PROGRESS:id:100",
  };
  const hub = all.use(await startHub({ env }));
  all.use(await joinClient(hub));
  all.use(await joinLive(hub));
  all.use(await joinLiveSse(hub));
  const worker = all.use(await joinWorker(hub));
  worker.send(register({ hostname: 'a"b\\c\nd' }));
  worker.send('{"type":"DOC_PROGRESS","id":"\\"}\\n"}');
  await worker.untilPong();
  const hasCanary = async (): Promise<void> => {
    while (((await scrape(hub)).get("vectra_canary_round_trip_seconds") ?? -1) < 0) await Bun.sleep(5);
  };
  await within(hasCanary(), "the canary's return");
  return Object.assign(all, { hub });
}

describe("Prometheus reads it", () => {
  promtoolTest("promtool finds nothing to say about an idle hub", async () => {
    await using hub = await startHub();
    expect(await lint(hub)).toEqual({ exitCode: 0, output: "" });
  });

  promtoolTest("promtool finds nothing to say about a busy one", async () => {
    await using busy = await busyHub();
    expect(await lint(busy.hub)).toEqual({ exitCode: 0, output: "" });
  });

  test("every name has the hub's prefix or is one of the process", async () => {
    await using busy = await busyHub();
    const names = [...(await scrape(busy.hub)).keys()];
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) expect(name).toMatch(/^(vectra|process)_[a-z_]+(\{.*\})?$/);
  });

  test("no peer can add a series: the labels stay what they were", async () => {
    await using hub = await startHub({ env: { ENV: "production", WRONG_SECRETS_PER_MINUTE: "3" } });
    const seriesBefore = [...(await scrape(hub)).keys()];
    for (let n = 0; n < 20; n += 1) {
      const text = encodeURIComponent(`x${n}",a="b\n`);
      await using _type = await openRaw(hub.wsUrl(`client_type=${text}`));
      await knock(hub, {
        query: `types=T${n}`,
        headers: { origin: `http://x${n}.example`, "user-agent": text },
      });
      await knock(hub, { query: `client_type=worker&token=${text}`, headers: { "x-forwarded-for": text } });
      await call(hub, `/${text}?${text}`, { method: "REPORT" });
      await publish(hub, JSON.stringify({ type: `T${n}` }), { "idempotency-key": `k${n}` });
      await call(hub, `/api/v1/worker/messages/${text}`, { headers: { authorization: `Bearer ${text}` } });
    }
    await using worker = await joinWorker(hub);
    worker.send(register({ version: "9", hostname: "x" }));
    await worker.untilPong();
    const after = await scrape(hub);
    expect([...after.keys()]).toEqual(seriesBefore);
    expect(after.get('vectra_refusals_total{reason="client_type"}')).toBe(20);
  });
});
