import type { Message } from "../hub/publisher.ts";
import type { Log } from "../observe/log.ts";
import { createBackoff } from "../protocol/backoff.ts";
import { NO_METADATA, type WorkerStatus } from "../protocol/status.ts";
import type { Cancel, Runtime } from "../runtime.ts";
import { createHandover, type Handover } from "./handover.ts";
import { readInbound, registration } from "./inbound.ts";
import type { Link, LinkEvents, Role } from "./link.ts";

const SCOPE = "bridge";

/** Tries follow each other at random times of up to this, at first and at most. */
const RETRY_FIRST_MS = 500;
const RETRY_LIMIT_MS = 10_000;
/** The same for changes of the role: a worker that comes and goes must not make the bridge flap. */
const SWITCH_FIRST_MS = 250;
const SWITCH_LIMIT_MS = 10_000;
/** Longer than any of these delays, so that a connection that fails right after a change never counts as stable. */
const STABLE_MS = 20_000;
/** How long both connections may be waited on to reach the marker. */
export const HANDOVER_LIMIT_MS = 5_000;
/** What of the new connection may be held back meanwhile. */
const HELD_LIMIT_BYTES = 8_388_608;

export interface UplinkOptions {
  readonly runtime: Pick<Runtime, "after" | "monotonicMs" | "random" | "randomHex">;
  readonly log: Log;
  readonly open: (role: Role, events: LinkEvents) => Link;
  /** The worker as the hub knows it; `statusChanged` has to be called when it changes. */
  readonly status: () => WorkerStatus;
  readonly publish: (message: Message) => void;
  readonly trigger: (type: string, text: string) => void;
}

/** The bridge's connection to the API, and its state. */
export interface Uplink {
  statusChanged(): void;
  /** @returns whether all is as it should be, and a description that anyone may read */
  state(): { readonly ok: boolean; readonly detail: string };
  stop(): void;
}

/**
 * Keeps connected to the API: as a plain client at first and while no worker is online, as the worker while one is. The role
 * is a property of a connection, so it changes by a second connection that takes over from the first.
 */
export function createUplink(options: UplinkOptions): Uplink {
  const { runtime, log, status, publish } = options;
  const limits = { runtime, stableMs: STABLE_MS };
  const retries = createBackoff({ ...limits, firstMs: RETRY_FIRST_MS, limitMs: RETRY_LIMIT_MS });
  const switches = createBackoff({ ...limits, firstMs: SWITCH_FIRST_MS, limitMs: SWITCH_LIMIT_MS });
  /** The connection whose broadcasts count. */
  let current: Link | undefined;
  /** The one that is to take over, and how far that is. */
  let next: Link | undefined;
  let handover: Handover<Message> | undefined;
  let marker: string | undefined;
  /** The metadata that the worker connection was last given. */
  let told: string | undefined;
  let cancelRetry: Cancel | undefined;
  let cancelSwitch: Cancel | undefined;
  let cancelHandover: Cancel | undefined;
  let trouble: string | undefined;
  let switchTrouble: string | undefined;
  let isStopped = false;

  const wanted = (): Role => (status().status === "online" ? "worker" : "client");

  const open = (role: Role): Link => {
    if (role === "worker") told = undefined;
    const link: Link = options.open(role, {
      joined: () => joined(link),
      text: (text) => take(link, text),
      ended: (why) => ended(link, why),
    });
    return link;
  };

  const joined = (link: Link): void => {
    if (link === current) {
      trouble = undefined;
      retries.succeeded();
      log.info?.("START", SCOPE, "Connected to the API", { role: link.role });
      adjust();
    } else {
      mark();
    }
  };

  /** One of the two connections is the worker's, and what it sends is broadcast to both. */
  const mark = (): void => {
    const workerLink = next?.role === "worker" ? next : current;
    if (workerLink === undefined) return;
    cancelHandover = runtime.after(HANDOVER_LIMIT_MS, () => {
      log.warning?.(
        "CONTEXT",
        SCOPE,
        "The API did not broadcast the registration: a message may be lost or doubled",
      );
      handover?.finish();
    });
    marker = register(workerLink);
  };

  const register = (workerLink: Link): string => {
    const worker = status();
    told = worker.status === "online" ? worker.metadata : (told ?? NO_METADATA);
    const fresh = runtime.randomHex(8);
    workerLink.send(registration(told, fresh));
    return fresh;
  };

  const take = (link: Link, text: string): void => {
    const inbound = readInbound(text);
    switch (inbound.kind) {
      case "message":
        if (handover === undefined) publish(inbound.message);
        else if (link === next) handover.fromNew(inbound.message);
        else handover.fromOld(inbound.message);
        break;
      case "trigger":
        // The API has these for its worker connection alone, so they are no part of what is handed over.
        if (link.role === "worker") options.trigger(inbound.type, inbound.text);
        break;
      case "registration":
        if (marker === undefined || inbound.marker !== marker) break;
        if (link === next) handover?.markerOnNew();
        else handover?.markerOnOld();
        break;
      case "status":
        break;
      case "unusable":
        log.warning?.("CONTEXT", SCOPE, "The API sent what is no message", { found: inbound.why });
        break;
    }
  };

  /** Sees to it that the API is told what the hub knows. */
  const adjust = (): void => {
    if (isStopped || next !== undefined || current?.isJoined() !== true) return;
    if (current.role !== wanted()) {
      cancelSwitch ??= runtime.after(switches.nextDelayMs(), startSwitch);
      return;
    }
    switchTrouble = undefined;
    if (current.role === "worker" && status().metadata !== told) register(current);
  };

  const startSwitch = (): void => {
    cancelSwitch = undefined;
    if (next !== undefined || current?.isJoined() !== true || current.role === wanted()) return;
    next = open(wanted());
    handover = createHandover({
      publish,
      sizeOf: ({ text }) => text.length,
      heldLimitBytes: HELD_LIMIT_BYTES,
      done: takeOver,
    });
  };

  const takeOver = (): void => {
    const old = current;
    current = next;
    endHandover();
    old?.close(1000);
    switchTrouble = undefined;
    switches.succeeded();
    log.info?.("STATUS", SCOPE, "Role changed", { role: current?.role });
    adjust();
  };

  const endHandover = (): void => {
    cancelHandover?.();
    next = undefined;
    handover = undefined;
    marker = undefined;
  };

  const ended = (link: Link, why: string): void => {
    if (link === next) {
      endHandover();
      complain(`No ${link.role} connection`, why, switchTrouble);
      switchTrouble = why;
      adjust();
      return;
    }
    current = undefined;
    if (handover !== undefined) {
      handover.finish();
      return;
    }
    complain("No connection to the API", why, trouble);
    trouble = why;
    cancelRetry = runtime.after(retries.nextDelayMs(), connect);
  };

  /** What goes on for long is said once. */
  const complain = (what: string, why: string, lastWhy: string | undefined): void => {
    const say = why === lastWhy ? log.debug : log.warning;
    say?.("FAIL", SCOPE, what, { why });
  };

  const connect = (): void => {
    current = open("client");
  };
  connect();

  return {
    statusChanged: adjust,
    state() {
      if (current?.isJoined() !== true)
        return { ok: false, detail: `not connected: ${trouble ?? "no answer yet"}` };
      const role = wanted();
      if (current.role === role) return { ok: true, detail: `connected as ${role}` };
      return {
        ok: false,
        detail: `connected as ${current.role}; as ${role}: ${switchTrouble ?? "no answer yet"}`,
      };
    },
    stop() {
      isStopped = true;
      for (const cancel of [cancelRetry, cancelSwitch, cancelHandover]) cancel?.();
      next?.close(1001);
      current?.close(1001);
    },
  };
}
