import type {
  Backplane,
  BackplaneEvents,
  CommandRecord,
  CommandResult,
  Entry,
  Located,
  Page,
  Publish,
  Published,
  Refused,
  WorkerState,
} from "../../backplane/backplane.ts";
import { createHolds } from "../../backplane/holds.ts";
import type { Config } from "../../config/schema.ts";
import type { Log } from "../../observe/log.ts";
import type { WorkerStatus } from "../../protocol/status.ts";
import type { Runtime } from "../../runtime.ts";
import type { Outbox, Texts } from "../wire/batch.ts";
import { entriesOf, textsOf } from "../wire/entries.ts";
import type { Question, ToCore } from "../wire/to-core.ts";
import type { StreamStart, ToEdge } from "../wire/to-edge.ts";
import { createBarrier } from "./barriers.ts";
import type { Questions } from "./questions.ts";
import { createTeam } from "./team.ts";
import { createWindow } from "./window.ts";

/** What an edge keeps of the history: whoever comes back soon is served from it, without a way to the core. */
const WINDOW_LIMIT_MESSAGES = 4_096;
const WINDOW_LIMIT_BYTES = 8_388_608;

export interface PortOptions {
  readonly config: Pick<Config, "HISTORY_MESSAGES" | "HISTORY_BYTES" | "HISTORY_TTL_MS">;
  readonly runtime: Pick<Runtime, "nowMs">;
  readonly log: Log;
  readonly outbox: Pick<Outbox<ToCore>, "say" | "sayLater">;
  readonly questions: Questions;
  readonly stream: StreamStart;
  /** Called for entries that the hub has been told of. */
  readonly delivered: (entries: readonly Entry[]) => void;
}

export interface Port {
  readonly backplane: Backplane;
  /** Takes what the core says. @returns false for what is no concern of the backplane */
  take(op: ToEdge, texts: Texts): boolean;
  /** To be called about once a second. */
  tick(): void;
}

/**
 * The backplane of an edge: everything is asked of the core, but for the newest entries and the worker's status, of which
 * it keeps a copy. The port keeps its order, so what the core has answered lies behind everything that it has told before.
 */
export function createPort(options: PortOptions): Port {
  const { config, runtime, log, outbox, questions } = options;
  const limits = {
    messages: Math.min(config.HISTORY_MESSAGES, WINDOW_LIMIT_MESSAGES),
    bytes: Math.min(config.HISTORY_BYTES, WINDOW_LIMIT_BYTES),
    ageMs: config.HISTORY_TTL_MS,
  };
  let events: BackplaneEvents | undefined;
  let status: WorkerStatus = options.stream.status;
  let window = createWindow(limits, options.stream.head, options.stream.cursor);
  const team = createTeam(outbox);
  const holds = createHolds((token, isHeld) => team.hold(token, "edge", isHeld, told().hold));

  const told = (): BackplaneEvents => {
    if (events === undefined) throw new Error("the hub is to be started before anything is taken");
    return events;
  };
  const deliver = (entries: readonly Entry[]): void => {
    window.push(entries);
    told().entries(entries);
    options.delivered(entries);
  };
  const restart = (why: string, stream: StreamStart): void => {
    window = createWindow(limits, stream.head, stream.cursor);
    status = stream.status;
    told().reset(why);
  };
  const changeStatus = (changed: WorkerStatus): void => {
    status = changed;
    told().status(changed);
  };

  const locate = async (since: string): Promise<Located> => {
    const { located, cursor } = await questions.promise<{ located: Located; cursor: string }>({
      op: "locate",
      since,
    });
    if (located.ok) window.remember(located.offset, cursor);
    return located;
  };

  const append = ({ messages, source, worker, key, done }: Publish): void => {
    const texts = textsOf(messages);
    const byteCount = texts.reduce((sum, text) => sum + text.length, 0);
    const op = {
      op: "append",
      source,
      worker,
      key,
      heads: messages.map(({ type, conflationKey }) => [type ?? null, conflationKey ?? null]),
    } satisfies Question;
    if (worker !== undefined) holds.sent(worker, messages.length, byteCount);
    if (done === undefined) {
      outbox.sayLater({ ...op, id: 0, isMute: true }, texts);
      return;
    }
    questions.ask(
      op,
      texts,
      (value) => done(value as Published),
      (why) => {
        log.error?.("FAIL", "publish", "Messages refused", { why });
        if (worker !== undefined) holds.answered(worker, messages.length, byteCount);
        done(busy(why));
      },
    );
  };

  const backplane: Backplane = {
    start(started) {
      events = started;
    },
    head: () => window.head(),
    cursorAt: (offset) => window.cursorAt(offset),
    locate,
    read(offset, upTo, limitMessages, limitBytes) {
      const held = window.read(offset, upTo, limitMessages, limitBytes);
      return held ?? questions.promise<Page>({ op: "read", offset, upTo, limitMessages, limitBytes });
    },
    append,
    barrier: createBarrier(questions),
    status: () => status,
    register: team.register,
    describe: (token, metadata) => outbox.say({ op: "describe", token }, [metadata]),
    leave: team.leave,
    worker: () => questions.promise<WorkerState>({ op: "worker" }),
    ready: (token) => outbox.say({ op: "ready", token }),
    canTake: team.canTake,
    sendCommand({ text, ifOffline, key, done }) {
      questions.ask(
        { op: "send", ifOffline, key },
        [text],
        (value) => done(value as CommandResult),
        (why) => done(busy(why)),
      );
    },
    command: (command) => questions.promise<CommandRecord | undefined>({ op: "command", command }),
    acknowledge: (ids, worker) => outbox.say({ op: "acknowledge", ids, worker }),
    // How the whole process ends is the core's to say.
    flush: () => undefined,
    farewell: () => undefined,
    close: () => Promise.resolve(),
  };

  return {
    backplane,
    take(op, texts) {
      switch (op.op) {
        case "entries":
          deliver(entriesOf(op, texts));
          return true;
        case "answer":
          questions.answered(op.id, op.value);
          return true;
        case "entriesRead":
          questions.answered(op.id, { evicted: false, entries: entriesOf(op, texts) });
          return true;
        case "failed":
          questions.failed(op.id, op.why);
          return true;
        case "reset":
          restart(op.why, op.stream);
          return true;
        case "status":
          changeStatus(op.status);
          return true;
        case "registered":
          told().registered(op.token, op.status);
          return true;
        case "superseded":
          team.superseded(op.token);
          told().superseded(op.token, op.why);
          return true;
        case "accepted":
          holds.answered(op.token, op.messages, op.bytes);
          return true;
        case "hold":
          team.hold(op.token, "core", op.isHeld, told().hold);
          return true;
        case "commands":
          team.deliver(
            op.token,
            op.heads.map(([id, attempt]) => ({ id, attempt, text: texts() })),
            told().commands,
          );
          return true;
        case "see":
          team.see(op.id, op.token);
          return true;
        default:
          return false;
      }
    },
    tick() {
      window.expire(runtime.nowMs());
      team.tick();
    },
  };
}

function busy(why: string): Refused {
  return { ok: false, code: "busy", detail: why };
}
