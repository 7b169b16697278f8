import { formatCursor } from "../../protocol/cursor.ts";
import { KEY_MISMATCH, type KeyRecord, SUPERSEDED } from "../backplane.ts";
import type { Holds } from "../holds.ts";
import { KEYS_FULL } from "../keys.ts";
import type { Ledger, Outcome, Unit } from "../ledger.ts";
import type { Done, Failed, Operation } from "./operation.ts";

/** How apply.lua says what became of a unit or a command. */
export const RESULT = {
  taken: 0,
  answered: 1,
  mismatch: 2,
  dead: 3,
  keysFull: 4,
  offline: 5,
  full: 6,
} as const;

/** Why a token is not registered any more, as apply.lua says it. */
export function whyDead(code: unknown): "replaced" | "lost" {
  return code === 1 ? "replaced" : "lost";
}

/**
 * The shared order of messages.
 * @param holds told of what each worker waits for
 * @param dead called with the token of a worker that turns out not to be registered any more
 */
export function createRedisLedger(
  submit: (operation: Operation) => void,
  dead: (token: string, why: "replaced" | "lost") => void,
  holds: Holds,
): Ledger {
  const outcomeOf = (unit: Unit, result: Done | Failed): Outcome => {
    if (!result.ok) return result;
    const [code, value] = result.reply;
    switch (code) {
      case RESULT.taken: {
        const { epoch } = result.header;
        const first = Number(value);
        return {
          ok: true,
          cursors: unit.messages.map((_, at) => formatCursor({ epoch, offset: first + at })),
        };
      }
      case RESULT.answered:
        return { ok: true, answer: String(value) };
      case RESULT.mismatch:
        return KEY_MISMATCH;
      case RESULT.keysFull:
        return KEYS_FULL;
      default:
        dead(unit.worker ?? "", whyDead(value));
        return SUPERSEDED;
    }
  };

  return {
    append(units, done) {
      // One answer for all of them, though they may go in several calls.
      const outcomes: Outcome[] = [];
      let missing = units.length;
      units.forEach((unit, at) => {
        const { worker, messages } = unit;
        const byteCount = messages.reduce((sum, { text }) => sum + text.length, 0);
        if (worker !== undefined) holds.sent(worker, messages.length, byteCount);
        submit({
          args: argsOf(unit),
          messages: messages.length,
          done(result) {
            if (worker !== undefined) holds.answered(worker, messages.length, byteCount);
            outcomes[at] = outcomeOf(unit, result);
            missing -= 1;
            if (missing === 0) done(outcomes);
          },
        });
      });
    },
    findKey(key) {
      const { promise, resolve, reject } = Promise.withResolvers<KeyRecord | undefined>();
      submit({
        args: ["key", key],
        messages: 0,
        done(result) {
          if (!result.ok) {
            reject(new Error(result.detail));
            return;
          }
          const [digest, answer] = result.reply;
          if (digest === undefined) resolve(undefined);
          else resolve({ key, digest: String(digest), answer: String(answer), atMs: result.header.nowMs });
        },
      });
      return promise;
    },
  };
}

function argsOf({ messages, keys, isOwned, worker }: Unit): string[] {
  const args = ["unit", worker ?? "", isOwned ? "1" : "0", String(keys.length), String(messages.length)];
  for (const { key, digest, at, receivers } of keys) {
    args.push(key, digest, at.join(","), JSON.stringify(receivers));
  }
  for (const { text, type } of messages) args.push(type === undefined ? "" : `=${type}`, text);
  return args;
}
