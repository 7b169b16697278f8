import { type Answer, publish, publishLines, receiptOf } from "../support/api.ts";
import { type Hub, SECRET } from "../support/hub.ts";
import { joinStreamWorker } from "../support/streamclient.ts";
import { openClient } from "../support/wsclient.ts";
import type { Line } from "./line.ts";

/** Makes the texts of messages, each with a number of its own. */
export interface Texts {
  /** The number that the next message will have. */
  nextOp(): number;
  make(by: string, type: string): string;
}

export function createTexts(): Texts {
  let op = 0;
  return {
    nextOp: () => op,
    make: (by, type) => JSON.stringify({ type, op: op++, by }),
  };
}

/** What the hub has acknowledged: these texts under these cursors, in this order. */
export interface Acknowledged {
  readonly ids: readonly string[];
  readonly texts: readonly string[];
}

/** What was published together is in the stream whole and in order, each text under its cursor. */
export function checkAcknowledged({ ids, texts }: Acknowledged, line: Line): void {
  if (ids.length !== texts.length) throw new Error(`${ids.length} cursors for ${texts.length} messages`);
  let before = 0;
  for (const [at, id] of ids.entries()) {
    const position = line.positionOf(id);
    if (line.entries[position - 1]?.text !== texts[at]) throw new Error(`${id} is not ${texts[at]}`);
    if (position <= before) throw new Error(`${id} is out of order in its batch`);
    before = position;
  }
}

/** Publishes over HTTP. @returns undefined where the end of the hub has cut off the answer */
export async function publishOverHttp(
  hub: Hub,
  texts: readonly string[],
  key: string | undefined,
): Promise<Acknowledged | undefined> {
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  const [first = "", ...more] = texts;
  let answer: Answer;
  try {
    answer = await (more.length === 0 ? publish(hub, first, headers) : publishLines(hub, texts, headers));
  } catch {
    return undefined;
  }
  return { ids: receiptOf(answer).ids, texts };
}

/** A worker that publishes, and knows what of it must be in the stream. */
export interface Source {
  publish(type: string): void;
  register(metadata: object): void;
  /** Resolves when all that it has published so far is in the stream: from then on that is certain. */
  settle(): Promise<void>;
  /** Ends the connection, in good order or without a word. */
  leave(inGoodOrder: boolean): Promise<void>;
  /** @throws Error unless what it has published is in the stream, in order, all that is certain and maybe more */
  check(line: Line): void;
}

/** Opens a source under this name, which nobody else may have. */
export type JoinSource = (hub: Hub, by: string, texts: Texts) => Promise<Source>;

function createLedger(by: string, texts: Texts) {
  const sent: string[] = [];
  let certain = 0;
  return {
    make(type: string): string {
      const text = texts.make(by, type);
      sent.push(text);
      return text;
    },
    count: () => sent.length,
    textAt: (at: number) => sent[at] ?? "",
    ascertain: (count: number): void => {
      certain = Math.max(certain, count);
    },
    check(line: Line): void {
      const found = line.entries.filter((entry) => entry.by === by).map(({ text }) => text);
      const wrong = found.findIndex((text, at) => sent[at] !== text);
      if (wrong !== -1) throw new Error(`${by}: ${found[wrong]} where ${sent[wrong]} was next`);
      if (found.length < certain) throw new Error(`${by}: ${sent[found.length]} is missing`);
    },
  };
}

/** A worker in raw framing: the answer to `ping` follows everything that it has sent before. */
export const joinRawSource: JoinSource = async (hub, by, texts) => {
  const url = hub.wsUrl("client_type=worker");
  const worker = await openClient(url, { headers: { "x-worker-secret": SECRET } });
  const ledger = createLedger(by, texts);
  return {
    publish: (type) => worker.send(ledger.make(type)),
    register: (metadata) => worker.send(JSON.stringify({ type: "REGISTER_WORKER", metadata })),
    async settle() {
      const count = ledger.count();
      await worker.untilPong();
      ledger.ascertain(count);
    },
    async leave(inGoodOrder) {
      const count = ledger.count();
      if (!inGoodOrder) return await worker[Symbol.asyncDispose]();
      await worker.close();
      ledger.ascertain(count);
    },
    check: ledger.check,
  };
};

/** A worker in stream framing: each message is acknowledged with its cursor. */
export const joinStreamSource: JoinSource = async (hub, by, texts) => {
  const worker = await joinStreamWorker(hub);
  const ledger = createLedger(by, texts);
  const acknowledged: Acknowledged[] = [];
  return {
    publish(type) {
      const ref = ledger.count();
      worker.send(`{"type":"publish","ref":"${ref}","data":${ledger.make(type)}}`);
    },
    register: (metadata) => worker.send({ type: "register", metadata }),
    async settle() {
      const count = ledger.count();
      for (const frame of await worker.untilPong()) {
        if (frame.type !== "ack") throw new Error(`${by} was told ${JSON.stringify(frame)}`);
        acknowledged.push({ ids: [frame.id], texts: [ledger.textAt(Number(frame.ref))] });
      }
      if (acknowledged.length < count) throw new Error(`${by}: ${acknowledged.length} acks for ${count}`);
      ledger.ascertain(count);
    },
    async leave(inGoodOrder) {
      const count = ledger.count();
      if (!inGoodOrder) return await worker[Symbol.asyncDispose]();
      await worker.leave();
      ledger.ascertain(count);
    },
    check(line) {
      ledger.check(line);
      for (const one of acknowledged) checkAcknowledged(one, line);
    },
  };
};
