import type { Config } from "../config/schema.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics, Source } from "../observe/metrics.ts";
import type { Runtime } from "../runtime.ts";
import type { NewMessage, Publish, Receivers } from "./backplane.ts";
import { createConflated, type Write } from "./conflated.ts";
import type { Ledger, NewKey, Outcome, Unit } from "./ledger.ts";
import { type CountReceivers, newKey, receiversOf, resultOf } from "./receipts.ts";

/** The one way into the stream: conflation, and receipts, in front of what gives messages their place in the order. */
export interface Intake {
  append(publish: Publish): void;
  /** Publishes what conflation holds back, and then runs `then`, which belongs behind it; the windows run on. */
  flush(then: () => void): void;
  /** Publishes what conflation holds back, for good. */
  stop(): void;
  /** How many messages conflation has superseded. */
  conflated(): number;
}

const NO_KEYS: readonly NewKey[] = [];

export interface IntakeOptions {
  readonly config: Pick<Config, "CONFLATE">;
  readonly ledger: Ledger;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "published" | "publishSeconds">;
  readonly receivers: CountReceivers;
}

export function createIntake({ config, ledger, runtime, log, metrics, receivers }: IntakeOptions): Intake {
  let refusedMessages = 0;
  const write: Write = (units, sources, settle) => {
    const startedMs = runtime.monotonicMs();
    ledger.append(units, (outcomes) => {
      metrics.publishSeconds.observe((runtime.monotonicMs() - startedMs) / 1000);
      for (let at = 0; at < outcomes.length; at++) {
        const outcome = outcomes[at] as Outcome;
        const count = (units[at] as Unit).messages.length;
        if (outcome.ok && "cursors" in outcome) metrics.published.add(sources[at] as Source, count);
        noteOutcome(outcome, count);
      }
      settle(outcomes);
    });
  };

  /** One line when messages begin to be refused and one when that is over, not one for each message. */
  const noteOutcome = (outcome: Outcome, count: number): void => {
    if (outcome.ok) {
      if (refusedMessages > 0)
        log.warning?.("START", "publish", "Messages taken again", { refused: refusedMessages });
      refusedMessages = 0;
    } else if (outcome.code !== "key_mismatch" && outcome.code !== "superseded") {
      if (refusedMessages === 0) log.error?.("FAIL", "publish", "Messages refused", { why: outcome.detail });
      refusedMessages += count;
    }
  };

  const whole = (publish: Publish): void => {
    const { messages, worker, key } = publish;
    // Of a single message they are counted afterwards, and only if somebody asks.
    const reached = key === undefined && messages.length === 1 ? undefined : receiversOf(messages, receivers);
    const keys = key === undefined ? NO_KEYS : [newKey(key, messages.keys(), reached as Receivers)];
    const unit = { messages, keys, isOwned: key !== undefined, worker };
    const { done } = publish;
    if (done === undefined) {
      write([unit], [publish.source], ignore);
      return;
    }
    write([unit], [publish.source], ([outcome]) => {
      const first = messages[0] as NewMessage;
      done(resultOf(outcome as Outcome, reached ?? receivers(first.type)));
    });
  };

  const conflated =
    config.CONFLATE.length === 0 ? undefined : createConflated({ config, ledger, runtime, receivers, write });
  return {
    append: conflated?.append ?? whole,
    flush: (then) => (conflated === undefined ? then() : conflated.flush(then)),
    stop: () => conflated?.stop(),
    conflated: () => conflated?.superseded() ?? 0,
  };
}

function ignore(): void {
  // Nobody waits for the receipt; a refusal has been logged.
}
