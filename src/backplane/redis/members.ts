import type { Log } from "../../observe/log.ts";
import { NO_METADATA, type WorkerStatus } from "../../protocol/status.ts";
import type { Runtime } from "../../runtime.ts";
import type { NewWorker } from "../backplane.ts";
import { whyDead } from "./ledger.ts";
import type { Operation } from "./operation.ts";
import type { RedisConfig } from "./settings.ts";

/** The workers whose sockets this node holds: their registration, and their leases (PROTOCOL.md, section 1). */
export interface Members {
  register(worker: NewWorker): void;
  describe(token: string, metadata: string): void;
  leave(token: string): void;
  ready(token: string): void;
  has(token: string): boolean;
  find(token: string): NewWorker | undefined;
  newest(): NewWorker | undefined;
  /** The workers that take commands, the newest last. */
  takers(): readonly string[];
  /** A registration has come by in the stream. */
  registered(token: string, offset: number): void;
  /** Redis says that it is not registered any more. */
  dead(token: string, why: "replaced" | "lost"): void;
  /** What a tick renews. */
  leases(): readonly Lease[];
  /** A tick that was sent at this time (monotonic) has renewed these. */
  renewed(leases: readonly Lease[], sentAtMs: number): void;
  /** Drops whose lease has run out here, and asks again for what was refused. */
  review(isUp: boolean): void;
}

export interface Lease {
  readonly token: string;
  /** Wall clock. */
  readonly lastSeenAtMs: number;
}

export interface MembersOptions {
  readonly config: Pick<RedisConfig, "WORKER_LEASE_MS" | "WORKER_POLICY">;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly submit: (operation: Operation) => void;
  readonly accepted: (token: string, status: WorkerStatus) => void;
  readonly superseded: (token: string, why: "replaced" | "lost") => void;
  /** It takes commands from now on. */
  readonly isReady: (token: string) => void;
  /** When the status changes by itself, on Redis' clock. */
  readonly graceUntil: (graceAtMs: number, nowMs: number) => void;
}

interface Member {
  readonly worker: NewWorker;
  /** Of the status that its registration brought about. */
  offset: number | undefined;
  /** When something that renewed its lease was sent; monotonic. */
  renewedAtMs: number;
  metadata: string;
  version: number;
  /** Is the metadata in Redis an older one, since a call was refused? */
  isMisnamed: boolean;
  ready: "no" | "asked" | "refused" | "yes";
}

/** Tokens that have left while Redis was away are told to it later; it notices by itself, too, when the leases end. */
const GONE_LIMIT = 1_000;

export function createMembers(options: MembersOptions): Members {
  const { config, runtime, log, submit } = options;
  const members = new Map<string, Member>();
  let readyOrder: readonly string[] = [];
  let lastRegistration = { token: "", offset: 0 };
  const untold = new Set<string>();

  const forget = (token: string): boolean => {
    readyOrder = readyOrder.filter((other) => other !== token);
    return members.delete(token);
  };
  const drop = (token: string, why: "replaced" | "lost"): void => {
    if (!forget(token)) return;
    log.info?.("STATUS", "redis", "Worker is registered no more", { token: token.slice(0, 4), why });
    options.superseded(token, why);
  };
  /** Under `replace` whoever has been registered before the last registration is out. */
  const judge = (): void => {
    if (config.WORKER_POLICY !== "replace") return;
    for (const [token, { offset }] of [...members]) {
      if (offset !== undefined && offset < lastRegistration.offset && token !== lastRegistration.token)
        drop(token, "replaced");
    }
  };

  const tellGone = (token: string): void => {
    if (untold.size < GONE_LIMIT) untold.add(token);
    submit({
      args: ["leave", token],
      messages: 0,
      done(result) {
        if (!result.ok) return;
        untold.delete(token);
        options.graceUntil(result.header.graceAtMs, result.header.nowMs);
      },
    });
  };

  const tellName = (token: string, member: Member): void => {
    member.isMisnamed = false;
    submit({
      args: ["describe", token, String(member.version), member.metadata],
      messages: 0,
      done(result) {
        if (!result.ok) member.isMisnamed = true;
        else if (result.reply[0] !== 0) drop(token, whyDead(result.reply[1]));
      },
    });
  };

  const tellReady = (token: string, member: Member): void => {
    member.ready = "asked";
    readyOrder = [...readyOrder.filter((other) => other !== token), token];
    submit({
      args: ["ready", token],
      messages: 0,
      done(result) {
        if (!result.ok) {
          member.ready = "refused";
          readyOrder = readyOrder.filter((other) => other !== token);
        } else if (result.reply[0] !== 0) {
          drop(token, whyDead(result.reply[1]));
        } else if (members.get(token) === member) {
          member.ready = "yes";
        }
      },
    });
    // In the same breath: what waits for it goes before anything that it is told or asks later.
    options.isReady(token);
  };

  return {
    register(worker) {
      const { token } = worker;
      const member: Member = {
        worker,
        offset: undefined,
        renewedAtMs: runtime.monotonicMs(),
        metadata: NO_METADATA,
        version: 0,
        isMisnamed: false,
        ready: "no",
      };
      members.set(token, member);
      const { connId, connectedAtMs } = worker;
      submit({
        args: ["register", token, connId, String(connectedAtMs), String(Math.round(worker.lastSeenAtMs()))],
        messages: 0,
        done(result) {
          if (members.get(token) !== member) return;
          if (!result.ok) {
            // It may have been taken nevertheless.
            tellGone(token);
            drop(token, "lost");
            return;
          }
          const [, offset, status, metadata] = result.reply;
          member.offset ??= Number(offset);
          member.renewedAtMs = result.sentAtMs;
          options.accepted(token, {
            status: String(status),
            metadata: String(metadata),
          } as WorkerStatus);
          judge();
        },
      });
    },
    describe(token, metadata) {
      const member = members.get(token);
      if (member === undefined) return;
      member.metadata = metadata;
      member.version += 1;
      tellName(token, member);
    },
    leave(token) {
      if (forget(token)) tellGone(token);
    },
    ready(token) {
      const member = members.get(token);
      if (member !== undefined) tellReady(token, member);
    },
    has: (token) => members.has(token),
    find: (token) => members.get(token)?.worker,
    newest: () => [...members.values()].at(-1)?.worker,
    takers: () => readyOrder,
    registered(token, offset) {
      lastRegistration = { token, offset };
      const own = members.get(token);
      if (own !== undefined) own.offset = offset;
      judge();
    },
    dead: drop,
    leases: () =>
      [...members].flatMap(([token, { worker, offset }]) =>
        offset === undefined ? [] : [{ token, lastSeenAtMs: Math.round(worker.lastSeenAtMs()) }],
      ),
    renewed(leases, sentAtMs) {
      for (const { token } of leases) {
        const member = members.get(token);
        if (member !== undefined) member.renewedAtMs = Math.max(member.renewedAtMs, sentAtMs);
      }
    },
    review(isUp) {
      const nowMs = runtime.monotonicMs();
      for (const [token, member] of [...members]) {
        if (member.offset !== undefined && nowMs - member.renewedAtMs > config.WORKER_LEASE_MS) {
          tellGone(token);
          drop(token, "lost");
        } else if (isUp && member.isMisnamed) {
          tellName(token, member);
        } else if (isUp && member.ready === "refused") {
          tellReady(token, member);
        }
      }
      if (isUp) for (const token of [...untold]) tellGone(token);
    },
  };
}
