import type { Config } from "../config/schema.ts";
import type { Runtime } from "../runtime.ts";
import type { Address } from "./address.ts";

/** As what the bridge is connected. */
export type Role = "client" | "worker";

/** From the first packet to the first answer. */
export const OPENING_LIMIT_MS = 10_000;
/** An API that leaves more than this unread is given up. */
const UNREAD_LIMIT_BYTES = 1_048_576;

/** One connection to the API. */
export interface Link {
  readonly role: Role;
  /** It has answered: from then on it is sent every broadcast. */
  isJoined(): boolean;
  send(text: string): void;
  /** Closes it. Nothing is heard of it any more. */
  close(code: number): void;
}

export interface LinkEvents {
  joined(): void;
  /** Every text frame but the answers to the heartbeat. */
  text(text: string): void;
  /** Called once, but not after `close`. @param why names no address and no secret: anyone may read it */
  ended(why: string): void;
}

export interface LinkOptions {
  readonly role: Role;
  readonly address: Address;
  readonly config: Pick<Config, "HEARTBEAT_INTERVAL_MS" | "HEARTBEAT_TIMEOUT_MS">;
  readonly runtime: Pick<Runtime, "after" | "every">;
  readonly events: LinkEvents;
}

/**
 * Connects. A text `ping` is sent at once and with every heartbeat, like the worker's: only its answer shows that the API
 * has taken the connection in, and that its event loop still turns.
 */
export function openLink({ role, address, config, runtime, events }: LinkOptions): Link {
  const intervalMs = config.HEARTBEAT_INTERVAL_MS;
  const silentTicksMax = Math.ceil(config.HEARTBEAT_TIMEOUT_MS / intervalMs);
  let silentTicks = 0;
  let isJoined = false;
  let isOver = false;
  let failure: string | undefined;

  const socket = new WebSocket(address.url, { headers: { ...address.headers }, perMessageDeflate: false });
  const cancelOpening = runtime.after(OPENING_LIMIT_MS, () => end(`no answer within ${OPENING_LIMIT_MS} ms`));
  // Counted in ticks, not by the clock: a hub that was stopped for a while runs one tick late, and not the peer is mute.
  const stopHeartbeat = runtime.every(intervalMs, () => {
    if (!isJoined) return;
    silentTicks += 1;
    if (silentTicks > silentTicksMax) end(`mute for ${silentTicksMax * intervalMs} ms`);
    else send("ping");
  });

  const leave = (): void => {
    isOver = true;
    cancelOpening();
    stopHeartbeat();
  };
  const end = (why: string): void => {
    if (isOver) return;
    leave();
    socket.terminate();
    events.ended(why);
  };
  const send = (text: string): void => {
    if (isOver || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > UNREAD_LIMIT_BYTES) end("it does not read");
    else socket.send(text);
  };

  socket.onopen = () => send("ping");
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    silentTicks = 0;
    if (data !== "pong") {
      if (typeof data === "string") events.text(data);
    } else if (!isJoined) {
      isJoined = true;
      cancelOpening();
      events.joined();
    }
  };
  socket.onerror = (event) => {
    failure = describe(event);
  };
  socket.onclose = ({ code }) => end(failure ?? `closed with ${code}`);

  return {
    role,
    isJoined: () => isJoined && !isOver,
    send,
    close(code) {
      if (isOver) return;
      leave();
      socket.close(code);
    },
  };
}

/** Bun's message holds the address, whose query may hold a secret: only what stands behind it is kept. */
function describe({ message, error }: ErrorEvent): string {
  const code: unknown = error?.code;
  if (typeof code === "string") return code;
  const [, reason] = /failed: (.*)$/s.exec(message) ?? [];
  return reason ?? "failed to connect";
}
