import { afterEach, expect, test } from "bun:test";
import { messageBytes } from "./generator/messages.ts";
import { type StormOptions, startStorm } from "./generator/storm.ts";

// A storm that does not notice a hole proves nothing. The servers here replay five messages, wrongly.

const FIRST = 10;
const MISSED = 5;
const RIGHT = [10, 11, 12, 13, 14];

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

interface Peer {
  since: string | null;
}

/** A server that greets every client with `hello`, `replay`, `live` and what comes after. */
function options({ resumed = true, replay = RIGHT, live = [] as number[] }): StormOptions {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self): Response | undefined {
      const data = { since: new URL(request.url).searchParams.get("since") };
      return self.upgrade(request, { data }) ? undefined : new Response("", { status: 400 });
    },
    websocket: {
      data: {} as Peer,
      open(socket) {
        const message = (sequence: number): string =>
          `{"type":"message","id":"0a-${sequence + 1}","data":${messageBytes(sequence)}}`;
        socket.send(JSON.stringify({ type: "hello", cursor: socket.data.since, resumed }));
        for (const sequence of replay) socket.send(message(sequence));
        socket.send(JSON.stringify({ type: "live", id: "0a-1" }));
        for (const sequence of live) socket.send(message(sequence));
      },
      message: () => undefined,
    },
  });
  opened.push(() => void server.stop(true));
  return { url: server.url.href, clients: 3, cursor: "0a-10", first: FIRST, missed: MISSED };
}

test("clients that get what they missed, and then what is live, are a storm that went well", async () => {
  const storm = await startStorm(options({ live: [15, 16] }));
  expect(storm.result.replayed).toBe(3 * MISSED);
  expect(storm.result.liveAfterMs).toHaveLength(3);
  await storm.finish(17);
});

test("a client that is live before it has all is noticed", async () => {
  await expect(startStorm(options({ replay: [10, 11, 12, 13] }))).rejects.toThrow(
    "was live before message 14",
  );
});

test("a hole is noticed", async () => {
  await expect(startStorm(options({ replay: [10, 12, 13, 14] }))).rejects.toThrow("message 12 instead of 11");
});

test("a duplicate is noticed", async () => {
  await expect(startStorm(options({ replay: [10, 11, 11, 12] }))).rejects.toThrow("message 11 instead of 12");
});

test("a duplicate at the seam is noticed", async () => {
  const finished = startStorm(options({ live: [14, 15] })).then((storm) => storm.finish(16));
  await expect(finished).rejects.toThrow("message 14 instead of 15");
});

test("a client that is not resumed is noticed", async () => {
  await expect(startStorm(options({ resumed: false }))).rejects.toThrow("was not resumed");
});
