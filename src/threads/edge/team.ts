import type { Backplane, BackplaneEvents, Delivery, NewWorker } from "../../backplane/backplane.ts";
import type { Outbox } from "../wire/batch.ts";
import type { ToCore } from "../wire/to-core.ts";

/** The workers whose sockets this edge has: tells the core of them, and of what they have taken. */
export interface Team extends Pick<Backplane, "register" | "leave" | "canTake"> {
  superseded(token: string): void;
  deliver(token: string, deliveries: readonly Delivery[], commands: BackplaneEvents["commands"]): void;
  /** Holds a worker while anybody wants it held: this edge because of what is under way, or the backplane of the core. */
  hold(token: string, by: "edge" | "core", isHeld: boolean, tell: BackplaneEvents["hold"]): void;
  /** Answers when something last came from a worker. */
  see(id: number, token: string): void;
  /** Tells when something last came from each, where that has changed. */
  tick(): void;
}

interface Member {
  readonly lastSeenAtMs: () => number;
  toldAtMs: number;
  /** Sent to it, but not yet said to be taken. */
  commands: number;
  bytes: number;
  readonly heldBy: Set<"edge" | "core">;
}

export function createTeam(outbox: Pick<Outbox<ToCore>, "say">): Team {
  const members = new Map<string, Member>();

  const taken = (token: string, member: Member): void => {
    const { commands, bytes } = member;
    if (commands === 0) return;
    member.commands = 0;
    member.bytes = 0;
    outbox.say({ op: "taken", token, commands, bytes });
  };

  return {
    register({ token, connId, connectedAtMs, lastSeenAtMs }: NewWorker) {
      const toldAtMs = lastSeenAtMs();
      members.set(token, { lastSeenAtMs, toldAtMs, commands: 0, bytes: 0, heldBy: new Set() });
      outbox.say({ op: "register", token, connId, connectedAtMs, lastSeenAtMs: toldAtMs });
    },
    leave(token) {
      if (members.delete(token)) outbox.say({ op: "leave", token });
    },
    canTake(token) {
      const member = members.get(token);
      if (member !== undefined) taken(token, member);
    },
    superseded: (token) => void members.delete(token),
    deliver(token, deliveries, commands) {
      const member = members.get(token);
      if (member === undefined) return;
      member.commands += deliveries.length;
      for (const { text } of deliveries) member.bytes += text.length;
      if (commands(token, deliveries)) taken(token, member);
    },
    hold(token, by, isHeld, tell) {
      const member = members.get(token);
      if (member === undefined) return;
      const wasHeld = member.heldBy.size > 0;
      if (isHeld) member.heldBy.add(by);
      else member.heldBy.delete(by);
      if (wasHeld !== member.heldBy.size > 0) tell(token, !wasHeld);
    },
    see(id, token) {
      outbox.say({ op: "seen", id, token, atMs: members.get(token)?.lastSeenAtMs() });
    },
    tick() {
      for (const [token, member] of members) {
        const atMs = member.lastSeenAtMs();
        if (atMs === member.toldAtMs) continue;
        member.toldAtMs = atMs;
        outbox.say({ op: "seen", token, atMs });
      }
    },
  };
}
