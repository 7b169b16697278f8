import type { Backplane, BackplaneEvents, Page, Publish } from "../../backplane/backplane.ts";
import type { Runtime } from "../../runtime.ts";
import type { Texts } from "../wire/batch.ts";
import { headsOf, textsOf } from "../wire/entries.ts";
import type { Question, ToCore } from "../wire/to-core.ts";
import type { StreamStart, ToEdge } from "../wire/to-edge.ts";
import { createAcceptances } from "./acceptances.ts";
import { changeAudience, receiversOf } from "./audience.ts";
import type { Gate } from "./gate.ts";
import { createLastSeen } from "./last-seen.ts";
import type { Seat } from "./seat.ts";

/** What a worker may be sent before it has said to have taken it, or one command if that is larger. */
const COMMANDS_LIMIT = 64;
const COMMANDS_LIMIT_BYTES = 1_048_576;

/** Stands between the backplane and the edges, for whom it is one hub. */
export interface Broker {
  readonly events: BackplaneEvents;
  /** Takes what an edge says. @returns false for what is no concern of the backplane */
  take(seat: Seat, op: ToCore, texts: Texts): boolean;
  /** Lets something of the core's own enter the stream, which waits for the edges like everything else. */
  append(publish: Publish): void;
  /** Where an edge starts that is made now. */
  stream(): StreamStart;
  /** The edge has gone, and its workers with it. */
  forget(seat: Seat): void;
}

export interface BrokerOptions {
  readonly backplane: Backplane;
  readonly seats: ReadonlySet<Seat>;
  readonly gate: Gate;
  readonly runtime: Pick<Runtime, "after" | "soon">;
}

export function createBroker({ backplane, seats, gate, runtime }: BrokerOptions): Broker {
  const owners = new Map<string, Seat>();
  const lastSeen = createLastSeen(seats, backplane, runtime.after);
  const acceptances = createAcceptances(runtime.soon);

  const broadcast = (op: ToEdge): void => {
    for (const { outbox } of seats) outbox.say(op);
  };
  const stream = (): StreamStart => {
    const head = backplane.head();
    return { head, cursor: backplane.cursorAt(head), status: backplane.status() };
  };
  const answer = ({ outbox }: Seat, id: number, value: unknown): void =>
    outbox.say({ op: "answer", id, value });
  const answerLater = (seat: Seat, id: number, value: unknown): void => {
    if (!(value instanceof Promise)) {
      answer(seat, id, value);
      return;
    }
    value.then(
      (settled) => answer(seat, id, settled),
      (error: Error) => seat.outbox.say({ op: "failed", id, why: error.message }),
    );
  };
  const answerPage = ({ outbox }: Seat, id: number, page: Page): void => {
    if (page.evicted) outbox.say({ op: "answer", id, value: page });
    else outbox.sayAlone({ op: "entriesRead", id, ...headsOf(page.entries) }, textsOf(page.entries));
  };

  const append = (seat: Seat | undefined, publish: Publish): void => {
    const byteCount = publish.messages.reduce((sum, { text }) => sum + text.length, 0);
    const { worker, messages, done } = publish;
    const over = (): void => {
      if (seat !== undefined && worker !== undefined)
        acceptances.add(seat, worker, messages.length, byteCount);
    };
    gate.pass(
      seat,
      byteCount,
      () => {
        over();
        backplane.append(publish);
      },
      (detail) => {
        over();
        done?.({ ok: false, code: "busy", detail });
      },
    );
  };

  const takeQuestion = (seat: Seat, question: Question & { readonly id: number }, texts: Texts): boolean => {
    const { id } = question;
    switch (question.op) {
      case "append": {
        const { source, worker, key, heads, isMute } = question;
        const messages = heads.map(([type, conflationKey]) => ({
          text: texts(),
          type: type ?? undefined,
          conflationKey: conflationKey ?? undefined,
        }));
        const done: Publish["done"] = isMute ? undefined : (result) => answer(seat, id, result);
        append(seat, { messages, source, worker, key, done });
        return true;
      }
      case "barrier":
        // Whoever has it answered may take everything that this edge said before as settled.
        gate.passBehind(seat, () => backplane.barrier(() => answer(seat, id, undefined)));
        return true;
      case "locate": {
        const located = backplane.locate(question.since);
        const settle = (at: Awaited<typeof located>) => ({
          located: at,
          cursor: at.ok ? backplane.cursorAt(at.offset) : "",
        });
        answerLater(seat, id, located instanceof Promise ? located.then(settle) : settle(located));
        return true;
      }
      case "read": {
        const { offset, upTo, limitMessages, limitBytes } = question;
        const page = backplane.read(offset, upTo, limitMessages, limitBytes);
        if (!(page instanceof Promise)) answerPage(seat, id, page);
        else
          page.then(
            (read) => answerPage(seat, id, read),
            (error: Error) => seat.outbox.say({ op: "failed", id, why: error.message }),
          );
        return true;
      }
      case "worker":
        answerLater(seat, id, lastSeen.worker());
        return true;
      case "send": {
        const { ifOffline, key } = question;
        backplane.sendCommand({ text: texts(), ifOffline, key, done: (result) => answer(seat, id, result) });
        return true;
      }
      case "command":
        answerLater(seat, id, backplane.command(question.command));
        return true;
      default:
        return false;
    }
  };

  const take = (seat: Seat, op: ToCore, texts: Texts): boolean => {
    switch (op.op) {
      case "register": {
        const { token, connId, connectedAtMs, lastSeenAtMs } = op;
        const member = { connId, lastSeenAtMs, commands: 0, bytes: 0, isFull: false };
        gate.pass(seat, 0, () => {
          seat.members.set(token, member);
          owners.set(token, seat);
          backplane.register({ token, connId, connectedAtMs, lastSeenAtMs: () => member.lastSeenAtMs });
        });
        return true;
      }
      case "describe": {
        const metadata = texts();
        gate.pass(seat, 0, () => backplane.describe(op.token, metadata));
        return true;
      }
      case "leave":
        gate.pass(seat, 0, () => {
          forgetMember(op.token);
          backplane.leave(op.token);
        });
        return true;
      case "ready":
        gate.pass(seat, 0, () => backplane.ready(op.token));
        return true;
      case "taken":
        takeTaken(seat, op.token, op.commands, op.bytes);
        return true;
      case "acknowledge":
        backplane.acknowledge(op.ids, op.worker);
        return true;
      case "seen":
        lastSeen.take(seat, op);
        return true;
      case "audience":
        for (const change of op.changes) changeAudience(seat.audience, change);
        return true;
      case "sent":
        gate.charge(seat, -op.messages, -op.bytes);
        return true;
      default:
        return "id" in op && op.op !== "report" ? takeQuestion(seat, op, texts) : false;
    }
  };

  const takeTaken = (seat: Seat, token: string, commands: number, bytes: number): void => {
    const member = seat.members.get(token);
    if (member === undefined) return;
    member.commands -= commands;
    member.bytes -= bytes;
    if (!member.isFull || !hasRoom(member)) return;
    member.isFull = false;
    backplane.canTake(token);
  };

  const forgetMember = (token: string): void => {
    owners.get(token)?.members.delete(token);
    owners.delete(token);
  };

  return {
    take,
    stream,
    append: (publish) => append(undefined, publish),
    forget(seat) {
      for (const token of [...seat.members.keys()]) {
        forgetMember(token);
        backplane.leave(token);
      }
      gate.look();
    },
    events: {
      entries(entries) {
        const op: ToEdge = { op: "entries", ...headsOf(entries) };
        const texts = textsOf(entries);
        const byteCount = entries.reduce((sum, entry) => sum + entry.byteCount, 0);
        for (const seat of seats) {
          seat.outbox.say(op, texts);
          gate.charge(seat, entries.length, byteCount);
        }
      },
      reset: (why) => broadcast({ op: "reset", why, stream: stream() }),
      status: (status) => broadcast({ op: "status", status }),
      registered: (token, status) => owners.get(token)?.outbox.say({ op: "registered", token, status }),
      superseded(token, why) {
        owners.get(token)?.outbox.say({ op: "superseded", token, why });
        forgetMember(token);
      },
      commands(token, deliveries) {
        const owner = owners.get(token);
        const member = owner?.members.get(token);
        if (owner === undefined || member === undefined) return false;
        const heads = deliveries.map(({ id, attempt }) => [id, attempt] as const);
        owner.outbox.sayAlone({ op: "commands", token, heads }, textsOf(deliveries));
        member.commands += deliveries.length;
        for (const { text } of deliveries) member.bytes += text.length;
        member.isFull = !hasRoom(member);
        return !member.isFull;
      },
      hold: (token, isHeld) => owners.get(token)?.outbox.say({ op: "hold", token, isHeld }),
      receivers: (type) => receiversOf(seats, type),
    },
  };
}

function hasRoom({ commands, bytes }: { readonly commands: number; readonly bytes: number }): boolean {
  return commands < COMMANDS_LIMIT && bytes < COMMANDS_LIMIT_BYTES;
}
