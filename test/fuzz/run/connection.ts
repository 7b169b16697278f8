import { DEADLINE_MS, within } from "../../support/deadline.ts";
import { connectTcp, type Tcp } from "../../support/tcp.ts";
import type { Case } from "../case.ts";
import { EPOCH } from "../generate/target.ts";
import { createAnswers } from "./answers.ts";

/** What the stream is known to hold, because a receipt said so. */
export interface Acknowledged {
  readonly id: string;
  /** Unknown for a case whose body is no text of its own. */
  readonly text: string | undefined;
}

export interface CaseOptions {
  readonly url: string;
  /** Replaces the placeholder of the generators. */
  readonly epoch: string;
  readonly onAcknowledged: (acknowledged: Acknowledged) => void;
  readonly onProblem: (problem: string) => void;
}

/** A pause where bytes may deserve no answer. It paces the fuzzer and decides nothing. */
const ANSWER_PAUSE_MS = 150;

/**
 * Does one case.
 * @returns what ends the connection, where it is to live until the episode's end
 */
export async function runCase(one: Case, options: CaseOptions): Promise<(() => Promise<void>) | undefined> {
  const tcp = await connectTcp(options.url);
  const changed = createSignal();
  let hasProblem = false;
  let received = 0;
  const problem = (text: string): void => {
    hasProblem = true;
    options.onProblem(text);
  };
  const answers = createAnswers({ onlyFirstHead: asksForHeadOnly(one), onProblem: problem });
  let isClosed = false;
  void tcp.closed.then(() => {
    isClosed = true;
    changed.set();
  });
  tcp.receive((bytes) => {
    received += bytes.length;
    answers.take(bytes);
    changed.set();
  });

  const pauseUntil = async (isThere: () => boolean, limitMs: number): Promise<void> => {
    const deadlineMs = performance.now() + limitMs;
    for (
      let leftMs = limitMs;
      !isThere() && !isClosed && leftMs > 0;
      leftMs = deadlineMs - performance.now()
    ) {
      await changed.wait(leftMs);
    }
  };
  let seen = 0;
  for (const step of one.steps) {
    if ("write" in step) {
      seen = received;
      tcp.write(withEpoch(step.write, options.epoch));
    } else if (step.wait === "turn") {
      await new Promise((resolve) => setImmediate(resolve));
    } else if (step.wait === "head") {
      await pauseUntil(
        () => answers.statuses.length > 0,
        one.expected === undefined ? ANSWER_PAUSE_MS : DEADLINE_MS,
      );
    } else {
      await pauseUntil(() => received > seen, ANSWER_PAUSE_MS);
    }
  }
  const [status] = answers.statuses;
  if (one.expected !== undefined && !hasProblem) {
    if (status === undefined) problem(`no answer, where ${one.expected.join(" or ")} was due`);
    else if (!one.expected.includes(status))
      problem(`answered ${status}, where ${one.expected.join(" or ")} was due`);
    else if (status === 202 && one.published !== undefined)
      acknowledge(answers.lastBody(), one.published, options);
  }
  return await end(one, tcp);
}

async function end(one: Case, tcp: Tcp): Promise<(() => Promise<void>) | undefined> {
  const reset = async (): Promise<void> => {
    tcp.reset();
    await tcp.closed;
  };
  if (one.end === "hold" || one.end === "stall") {
    if (one.end === "stall") tcp.pause();
    return reset;
  }
  if (one.end === "fin") {
    tcp.halfClose();
    await within(tcp.closed, "the end of a half-closed connection");
  }
  await reset();
  return undefined;
}

function acknowledge(
  body: string,
  texts: readonly string[],
  { onAcknowledged, onProblem }: CaseOptions,
): void {
  const { ids }: { ids: string[] } = JSON.parse(body);
  if (ids.length !== texts.length) onProblem(`a receipt for ${ids.length} of ${texts.length} messages`);
  for (const [at, id] of ids.entries()) onAcknowledged({ id, text: texts[at] });
}

function asksForHeadOnly(one: Case): boolean {
  return Buffer.concat(one.steps.map((step) => ("write" in step ? step.write : new Uint8Array()))).includes(
    "HEAD",
  );
}

function withEpoch(bytes: Uint8Array, epoch: string): Uint8Array {
  const text = Buffer.from(bytes);
  if (!text.includes(EPOCH)) return bytes;
  return Buffer.from(text.toString("latin1").replaceAll(EPOCH, epoch), "latin1");
}

/** Lets one waiter know that something has changed. */
function createSignal() {
  let wake = (): void => undefined;
  return {
    set: () => wake(),
    async wait(limitMs: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limitMs);
      wake = resolve;
      await promise;
      clearTimeout(timer);
    },
  };
}
