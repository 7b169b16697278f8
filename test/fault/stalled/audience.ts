import { DEADLINE_MS, within } from "../../support/deadline.ts";
import { overSse, overWebSocket, type StreamEvent, type StreamTransport } from "../../support/stream.ts";

/** Healthy clients of every kind, which read whatever comes. */
export interface Audience extends AsyncDisposable {
  /** How many of them the receipts of the hub should count. */
  readonly receivers: { readonly websocket: number; readonly sse: number };
  /** Resolves when each of them is connected. */
  readonly joined: Promise<void>;
  /** Resolves when each has got the messages 1 to `n`, all and in order; fails when one has not, or has lost its connection. */
  reached(n: number): Promise<void>;
}

/** A client with raw framing, which is told no cursor. */
const overRawFraming: StreamTransport = ({ url, take }) => {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`${url.replace("http:", "ws:")}/ws`);
  socket.onopen = () => take({ kind: "live", cursor: "" });
  socket.onmessage = ({ data }) => {
    const text = String(data);
    try {
      if (!text.startsWith('{"type":"WORKER_STATUS"')) take({ kind: "message", cursor: "", text });
    } catch (error) {
      reject(error);
    }
  };
  socket.onclose = () => resolve();
  return { drop: () => socket.terminate(), ended };
};

const MEMBERS: readonly (readonly [name: string, transport: StreamTransport])[] = [
  ["a raw client", overRawFraming],
  ["another raw client", overRawFraming],
  ["a stream client", overWebSocket],
  ["another stream client", overWebSocket],
  ["an SSE client", overSse],
  ["another SSE client", overSse],
];

export function startAudience(url: string): Audience {
  const counts = MEMBERS.map(() => 0);
  const joins = MEMBERS.map(() => Promise.withResolvers<void>());
  let isOver = false;
  let awaited: { readonly n: number; readonly resolve: () => void } | undefined;

  const take = (member: number, name: string, event: StreamEvent): void => {
    if (event.kind === "live") joins[member]?.resolve();
    if (event.kind !== "message") return;
    const { n } = JSON.parse(event.text);
    const expected = (counts[member] ?? 0) + 1;
    if (n !== expected) throw new Error(`${name} got message ${n} where ${expected} was to come`);
    counts[member] = n;
    if (awaited !== undefined && Math.min(...counts) >= awaited.n) awaited.resolve();
  };
  const connections = MEMBERS.map(([name, transport], member) =>
    transport({ url, take: (event) => take(member, name, event) }),
  );
  const failed = Promise.all(
    connections.map(async ({ ended }, member) => {
      await ended;
      if (!isOver) throw new Error(`${MEMBERS[member]?.[0]} has lost its connection at ${counts[member]}`);
    }),
  );
  // Whoever waits for the clients gets it; it must not count as unhandled before.
  failed.catch(() => undefined);

  return {
    receivers: { websocket: 4, sse: 2 },
    joined: Promise.all(joins.map(({ promise }) => promise)).then(() => undefined),
    async reached(n) {
      const { promise, resolve } = Promise.withResolvers<void>();
      awaited = { n, resolve };
      if (Math.min(...counts) >= n) resolve();
      await within(Promise.race([promise, failed]), `message ${n} at all of ${counts}`, DEADLINE_MS);
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      for (const { drop } of connections) drop();
      // A fault that one of them has found is `reached`'s to tell.
      await Promise.allSettled(connections.map(({ ended }) => ended));
    },
  };
}
