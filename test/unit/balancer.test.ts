import { expect, test } from "bun:test";
import { startBalancer } from "../support/balancer.ts";
import { within } from "../support/deadline.ts";
import { lastingPort } from "../support/port.ts";
import { createQueue, type Queue } from "../support/queue.ts";

// What the tests see of a hub's end, of its backpressure and of its bytes, they must see through the balancer, too.

type Seen =
  | { readonly kind: "open" | "fin" | "rst" | "closed" }
  | { readonly kind: "data"; readonly text: string };

interface End extends Disposable {
  readonly socket: Bun.Socket<undefined>;
  /** What has happened to this end, in order. */
  readonly seen: Queue<Seen>;
}

function handlersFor(seen: Queue<Seen>): Bun.SocketHandler<undefined> {
  return {
    open: () => seen.push({ kind: "open" }),
    data: (_, bytes) => seen.push({ kind: "data", text: bytes.toString() }),
    end: () => seen.push({ kind: "fin" }),
    error: () => undefined,
    close: (_, error) => seen.push({ kind: error === undefined ? "closed" : "rst" }),
  };
}

/** A server that takes one connection after the other, each of them as an end for the test. */
function listen() {
  const accepted = createQueue<End>();
  const ends = new WeakMap<Bun.Socket<undefined>, End>();
  const relay = (socket: Bun.Socket<undefined>, what: Seen): void => ends.get(socket)?.seen.push(what);
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const end = { socket, seen: createQueue<Seen>(), [Symbol.dispose]: () => socket.terminate() };
        ends.set(socket, end);
        accepted.push(end);
      },
      data: (socket, bytes) => relay(socket, { kind: "data", text: bytes.toString() }),
      end: (socket) => relay(socket, { kind: "fin" }),
      error: () => undefined,
      close: (socket, error) => relay(socket, { kind: error === undefined ? "closed" : "rst" }),
    },
  });
  return {
    url: `http://127.0.0.1:${listener.port}`,
    next: () => accepted.next("a connection at the server"),
    [Symbol.dispose]: () => listener.stop(true),
  };
}

async function dial(url: string): Promise<End> {
  const seen = createQueue<Seen>();
  const { hostname, port } = new URL(url);
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    allowHalfOpen: true,
    socket: handlersFor(seen),
  });
  expect(await seen.next("open")).toEqual({ kind: "open" });
  return { socket, seen, [Symbol.dispose]: () => socket.terminate() };
}

test("each connection goes to the next server, and past one that is away", async () => {
  using one = listen();
  using two = listen();
  await using balancer = startBalancer([one.url, `http://127.0.0.1:${lastingPort()}`, two.url]);
  for (const server of [one, two, two, one]) {
    using client = await dial(balancer.url);
    using accepted = await server.next();
    client.socket.write("hello");
    expect(await accepted.seen.next("data")).toEqual({ kind: "data", text: "hello" });
    accepted.socket.write("back");
    expect(await client.seen.next("data")).toEqual({ kind: "data", text: "back" });
  }
});

test("a client is reset where no server is left", async () => {
  await using balancer = startBalancer([`http://127.0.0.1:${lastingPort()}`]);
  using client = await dial(balancer.url);
  expect(await client.seen.next("reset")).toEqual({ kind: "rst" });
});

test("each side may end its half, and the other half goes on", async () => {
  using server = listen();
  await using balancer = startBalancer([server.url]);
  using client = await dial(balancer.url);
  client.socket.write("request");
  client.socket.shutdown();
  using accepted = await server.next();
  expect(await accepted.seen.next("data")).toEqual({ kind: "data", text: "request" });
  expect(await accepted.seen.next("fin")).toEqual({ kind: "fin" });
  accepted.socket.write("answer");
  expect(await client.seen.next("data")).toEqual({ kind: "data", text: "answer" });
  accepted.socket.end();
  // Its own half is over already, so that nothing of the connection is left.
  expect(await client.seen.next("end")).toEqual({ kind: "closed" });
});

test.each(["client", "server"] as const)("a reset by the %s is a reset for the other", async (by) => {
  using server = listen();
  await using balancer = startBalancer([server.url]);
  using client = await dial(balancer.url);
  using accepted = await server.next();
  const [from, to] = by === "client" ? [client, accepted] : [accepted, client];
  from.socket.write("last words");
  expect(await to.seen.next("data")).toEqual({ kind: "data", text: "last words" });
  from.socket.terminate();
  expect(await to.seen.next("reset")).toEqual({ kind: "rst" });
});

test("a receiver that does not read is felt by the sender, and nothing is lost", async () => {
  using server = listen();
  await using balancer = startBalancer([server.url]);
  using client = await dial(balancer.url);
  using accepted = await server.next();
  client.socket.pause();
  const chunk = "x".repeat(65_536);
  let sent = 0;
  // Until all buffers on the way are full: those of the kernel, and what the balancer holds.
  for (let idle = 0; idle < 20; ) {
    const written = accepted.socket.write(chunk);
    sent += Math.max(0, written);
    idle = written > 0 ? 0 : idle + 1;
    await Bun.sleep(5);
  }
  expect(sent).toBeLessThan(64 * 1024 * 1024);
  accepted.socket.shutdown();
  client.socket.resume();
  let received = 0;
  const reading = async (): Promise<void> => {
    for (let seen = await client.seen.next("data"); seen.kind !== "fin"; ) {
      if (seen.kind !== "data") throw new Error(seen.kind);
      received += seen.text.length;
      seen = await client.seen.next("data");
    }
  };
  await within(reading(), "everything that was sent");
  expect(received).toBe(sent);
});
