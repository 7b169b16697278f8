import type { Metrics } from "../../observe/metrics.ts";
import type { Runtime } from "../../runtime.ts";
import {
  type CommandRecord,
  type CommandResult,
  type CommandState,
  type Delivery,
  KEY_MISMATCH,
  type NewCommand,
} from "../backplane.ts";
import { KEYS_FULL } from "../keys.ts";
import { OFFLINE_REFUSED, queueFull } from "../queue.ts";
import { RESULT, whyDead } from "./ledger.ts";
import type { Operation } from "./operation.ts";
import type { RedisConfig } from "./settings.ts";

/** The commands of all nodes, and their delivery to the workers of this one (PROTOCOL.md, section 4). */
export interface Orders {
  send(command: NewCommand): void;
  find(id: string): Promise<CommandRecord | undefined>;
  /** @param worker the token of the worker whose pong it is; without it anybody may have said so */
  acknowledge(ids: readonly string[], worker?: string): void;
  /** There may be something to take. */
  look(): void;
  canTake(token: string): void;
  gone(token: string): void;
  expired(count: number): void;
  /** Tells again what was refused, and looks whether a signal was missed. @param waiting how many commands there are */
  review(waiting: number): void;
}

export interface OrdersOptions {
  readonly config: Pick<RedisConfig, "COMMAND_QUEUE">;
  readonly runtime: Runtime;
  readonly metrics: Pick<Metrics, "commands">;
  readonly submit: (operation: Operation) => void;
  /** This node's workers that take commands, the newest last. */
  readonly takers: () => readonly string[];
  readonly deliver: (token: string, deliveries: readonly Delivery[]) => boolean;
  readonly dead: (token: string, why: "replaced" | "lost") => void;
}

/** How a worker of this node takes. */
interface Taker {
  canTake: boolean;
  isTaking: boolean;
  /** Has something come up while it was taking? */
  isWanted: boolean;
  /** The takes are numbered, and Redis is told of which one the answer has come. */
  takes: number;
  confirmed: number;
}

/** Acknowledgements that wait to be told again; a command whose one is forgotten is sent again. */
const UNTOLD_LIMIT = 10_000;
/** How many acknowledgements one call tells. */
const ACK_LIMIT = 256;

export function createOrders({
  config,
  runtime,
  metrics,
  submit,
  takers,
  deliver,
  dead,
}: OrdersOptions): Orders {
  const state = new Map<string, Taker>();
  /** Acknowledgements that Redis could not be told of, each with the worker's token. */
  const untold = new Map<string, string>();

  const takerOf = (token: string): Taker => {
    const known = state.get(token);
    if (known !== undefined) return known;
    const fresh = { canTake: true, isTaking: false, isWanted: false, takes: 0, confirmed: 0 };
    state.set(token, fresh);
    return fresh;
  };

  const take = (token: string): void => {
    const taker = takerOf(token);
    taker.isWanted = true;
    if (taker.isTaking || !taker.canTake) return;
    taker.isTaking = true;
    taker.isWanted = false;
    taker.takes += 1;
    const own = taker.takes;
    submit({
      args: ["take", token, String(own), String(taker.confirmed)],
      messages: 0,
      isAlone: true,
      done(result) {
        taker.isTaking = false;
        if (state.get(token) !== taker) return;
        // What it may have brought is brought by the next one; the tick asks for that.
        if (!result.ok) return;
        const [code, hasMore, ...rest] = result.reply;
        if (code === 1) {
          dead(token, whyDead(hasMore));
          return;
        }
        if (code !== RESULT.taken) return;
        taker.confirmed = own;
        hand(token, taker, deliveriesOf(rest));
        if (taker.canTake && (taker.isWanted || hasMore === 1)) take(token);
      },
    });
  };

  const hand = (token: string, taker: Taker, deliveries: readonly Delivery[]): void => {
    if (deliveries.length === 0) return;
    for (const { attempt } of deliveries) metrics.commands.add(attempt === 1 ? "sent" : "redelivered");
    taker.canTake = deliver(token, deliveries);
    if (!taker.canTake) submit({ args: ["pause", token], messages: 0, done: ignore });
  };

  const look = (): void => {
    const newest = takers().at(-1);
    if (newest !== undefined) take(newest);
  };

  const tell = (ids: readonly string[], worker: string): void => {
    for (const id of ids) untold.delete(id);
    submit({
      args: ["ack", worker, String(ids.length), ...ids],
      messages: 0,
      done(result) {
        if (result.ok) metrics.commands.add("acknowledged", Number(result.reply[0]));
        else for (const id of ids) if (untold.size < UNTOLD_LIMIT) untold.set(id, worker);
      },
    });
  };
  const tellAll = (ids: readonly string[], worker = ""): void => {
    for (let from = 0; from < ids.length; from += ACK_LIMIT) tell(ids.slice(from, from + ACK_LIMIT), worker);
  };

  const expired = (count: number): void => {
    if (count > 0) metrics.commands.add("expired", count);
  };

  const resultOf = (id: string, reply: readonly unknown[]): CommandResult => {
    const [code, value] = reply;
    switch (code) {
      case RESULT.taken:
        return { ok: true, id, status: value === "sent" ? "sent" : "queued" };
      case RESULT.answered:
        return JSON.parse(String(value)) as CommandResult;
      case RESULT.mismatch:
        return KEY_MISMATCH;
      case RESULT.keysFull:
        return KEYS_FULL;
      case RESULT.offline:
        return OFFLINE_REFUSED;
      default:
        return queueFull(Number(value), config.COMMAND_QUEUE);
    }
  };

  return {
    send({ text, ifOffline, key, done }) {
      const id = runtime.randomHex(8);
      submit({
        args: ["accept", id, text, ifOffline, key?.key ?? "", key?.digest ?? ""],
        messages: 1,
        done(result) {
          if (!result.ok) {
            metrics.commands.add("refused");
            done(result);
            return;
          }
          const [code, , expiredCount] = result.reply;
          expired(Number(expiredCount ?? 0));
          const isKnown = code === RESULT.answered || code === RESULT.mismatch;
          if (!isKnown) metrics.commands.add(code === RESULT.taken ? "accepted" : "refused");
          done(resultOf(id, result.reply));
          if (code === RESULT.taken) look();
        },
      });
    },
    find(id) {
      const { promise, resolve, reject } = Promise.withResolvers<CommandRecord | undefined>();
      submit({
        args: ["command", id],
        messages: 0,
        done(result) {
          if (!result.ok) {
            reject(new Error(result.detail));
            return;
          }
          const [name, attempts, createdMs] = result.reply;
          if (name === undefined) resolve(undefined);
          else
            resolve({
              id,
              text: "",
              createdMs: Number(createdMs),
              state: name as CommandState,
              attempts: Number(attempts),
            });
        },
      });
      return promise;
    },
    acknowledge: tellAll,
    look,
    canTake(token) {
      const taker = state.get(token);
      if (taker === undefined) return;
      taker.canTake = true;
      if (takers().includes(token)) take(token);
    },
    gone: (token) => void state.delete(token),
    expired,
    review(waiting) {
      for (const [worker, ids] of Map.groupBy(untold, ([, worker]) => worker))
        tellAll(
          ids.map(([id]) => id),
          worker,
        );
      for (const [token, taker] of state) {
        // A take whose answer was lost may have been given something.
        if (!taker.isTaking && taker.takes !== taker.confirmed) take(token);
      }
      if (waiting > 0) look();
    },
  };
}

function ignore(): void {
  // Only the answer to whoever posts a command hangs on it.
}

function deliveriesOf(rest: readonly unknown[]): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let at = 0; at + 2 < rest.length; at += 3) {
    deliveries.push({ id: String(rest[at]), attempt: Number(rest[at + 1]), text: String(rest[at + 2]) });
  }
  return deliveries;
}
