import { expect, test } from "bun:test";
import { startHub } from "../support/hub.ts";
import { joinWorker, OFFLINE, online, register } from "../support/parties.ts";
import { openClient } from "../support/wsclient.ts";

// The Python original answers each new dashboard, and each question, by telling everyone: n dashboards that come
// together cost n² frames. Here each costs its own two.

const CROWD = 1000;

test("1,000 clients that connect and each ask get 2,000 status frames in total", async () => {
  await using hub = await startHub();
  await using clients = new AsyncDisposableStack();
  const joining = Array.from({ length: CROWD }, async () =>
    clients.use(await openClient(hub.wsUrl(), { sendOnOpen: "get_worker_status" })),
  );
  const crowd = await Promise.all(joining);
  // Every question is asked by now; each client's pong comes behind all that it was ever sent.
  const received = await Promise.all(crowd.map((client) => client.untilPong()));

  expect(received.flat()).toEqual(Array.from({ length: 2 * CROWD }, () => OFFLINE));
  expect(received.filter((frames) => frames.length !== 2)).toEqual([]);

  await using worker = await joinWorker(hub);
  worker.send(register({ hostname: "gpu-01" }));
  worker.send('{"type":"DOC_UPDATE"}');
  await worker.untilPong();
  const heard = await Promise.all(crowd.map((client) => client.untilPong()));
  const each = [online(), online({ hostname: "gpu-01" }), '{"type":"DOC_UPDATE"}'];
  expect(heard).toEqual(Array.from({ length: CROWD }, () => each));
});
