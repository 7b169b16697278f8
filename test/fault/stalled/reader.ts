import { createChunkedDecoder } from "../../support/chunked.ts";
import { within } from "../../support/deadline.ts";
import { type Frame, OPCODE } from "../../support/frame.ts";
import { encodeRequest, parseHead } from "../../support/http.ts";
import type { Hub } from "../../support/hub.ts";
import { openRaw } from "../../support/rawsocket.ts";
import { createSseParser, type SseBlock } from "../../support/sse.ts";
import { connectTcp, type Tcp } from "../../support/tcp.ts";

/** What a reader has got in all: the numbers of the messages, and the last cursor, which raw framing has not. */
export interface Got {
  readonly numbers: readonly number[];
  readonly cursor: string | undefined;
}

/** A client that was let in, has read its greeting, and reads nothing more. */
export interface StalledReader {
  readonly kind: string;
  /** Reads again, everything that is still there for it. Resolves at the end of the connection, which must be there. */
  readToTheEnd(): Promise<Got>;
  reset(): void;
}

type OpenStalled = (hub: Hub) => Promise<StalledReader>;

async function openRawFraming(hub: Hub): Promise<StalledReader> {
  const socket = await openRaw(hub.wsUrl(), { pings: "ignore" });
  await socket.nextText();
  return stalled("raw framing", socket.tcp, async () => {
    const texts = await textsLeft(() => socket.next());
    return { numbers: texts.map(numberOf), cursor: undefined };
  });
}

async function openStreamFraming(hub: Hub): Promise<StalledReader> {
  const headers = { "sec-websocket-protocol": "vectra.stream.v1" };
  const socket = await openRaw(hub.wsUrl(), { headers, pings: "ignore" });
  const hello = JSON.parse(await socket.nextText());
  await socket.nextText();
  return stalled("stream framing", socket.tcp, async () => {
    const envelopes = (await textsLeft(() => socket.next())).map((text) => JSON.parse(text));
    const messages = envelopes.filter(({ type }) => type === "message");
    return { numbers: messages.map(({ data }) => data.n), cursor: envelopes.at(-1)?.id ?? hello.cursor };
  });
}

/** The texts of what is left in the queue of a connection that has ended. */
async function textsLeft(next: () => Promise<Frame>): Promise<string[]> {
  const texts: string[] = [];
  while (true) {
    const frame = await next().catch(() => undefined);
    if (frame === undefined) return texts;
    if (frame.opcode === OPCODE.text) texts.push(Buffer.from(frame.payload).toString());
  }
}

async function openSse(hub: Hub): Promise<StalledReader> {
  const tcp = await connectTcp(hub.url);
  const decode = createChunkedDecoder();
  const parse = createSseParser();
  const blocks: SseBlock[] = [];
  const greeted = Promise.withResolvers<void>();
  let head: Uint8Array | undefined = new Uint8Array();
  tcp.receive((bytes) => {
    let body = bytes;
    if (head !== undefined) {
      head = Buffer.concat([head, bytes]);
      const parsed = parseHead(head);
      if (parsed === undefined) return;
      body = head.subarray(parsed.size);
      head = undefined;
    }
    blocks.push(...parse(decode(body)));
    if (blocks.some(({ event }) => event === "live")) greeted.resolve();
  });
  tcp.write(encodeRequest(new URL(hub.url).host, { path: "/api/v1/events" }));
  await within(greeted.promise, "the greeting of an SSE stream");
  return stalled("SSE", tcp, () => {
    const messages = blocks.filter(({ event, data }) => event === undefined && data !== undefined);
    const cursor = blocks.findLast(({ id }) => id !== undefined)?.id;
    return Promise.resolve({ numbers: messages.map(({ data = "" }) => numberOf(data)), cursor });
  });
}

function numberOf(text: string): number {
  return JSON.parse(text).n;
}

function stalled(kind: string, tcp: Tcp, got: () => Promise<Got>): StalledReader {
  tcp.pause();
  return {
    kind,
    async readToTheEnd() {
      tcp.resume();
      await within(tcp.closed, `the end of a stalled connection with ${kind}`);
      return await got();
    },
    reset: tcp.reset,
  };
}

/** Opens `count` of each kind. */
export async function openStalledReaders(hub: Hub, count: number): Promise<StalledReader[]> {
  const kinds: OpenStalled[] = [openRawFraming, openStreamFraming, openSse];
  const readers: StalledReader[] = [];
  for (const open of kinds) for (let i = 0; i < count; i += 1) readers.push(await open(hub));
  return readers;
}
