import type { Runtime } from "../../runtime.ts";
import type { Epoch } from "../epochs.ts";
import { RedisError } from "./error.ts";
import type { Send } from "./link.ts";
import type { KeyNames, Scripts } from "./scripts.ts";

/** The shared state at one instant. */
export interface Snapshot {
  readonly epoch: string;
  /** Oldest first; the last is the present one. */
  readonly epochs: readonly Epoch[];
  /** The offset of the newest message. */
  readonly seq: number;
  readonly status: string;
  readonly metadata: string;
  /** Redis' wall clock. */
  readonly nowMs: number;
  readonly signalId: string;
}

/** What a node has seen of the stream. */
export interface Seen {
  readonly epoch: string;
  readonly seq: number;
}

const VERSION_LEAST = [6, 2] as const;

/** @param info the answer of `INFO server` */
export function checkVersion(info: string): RedisError | undefined {
  const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < VERSION_LEAST[0] || (major === VERSION_LEAST[0] && minor < VERSION_LEAST[1]);
  return isOld
    ? new RedisError(`Redis ${version} is too old: use 6.2 or newer, e.g. Debian's redis-server 7`, true)
    : undefined;
}

export interface HandshakeOptions {
  readonly scripts: Scripts;
  readonly keys: KeyNames;
  readonly runtime: Runtime;
  readonly seen: () => Seen;
}

export type Handshake = (send: Send) => Promise<Snapshot>;

/**
 * The first thing on every new connection: Redis may have been restarted, restored or replaced since the last one, and may
 * have lost what it had acknowledged. Then a new epoch begins, so that no cursor ever means two messages.
 */
export function createHandshake({ scripts, keys, runtime, seen }: HandshakeOptions): Handshake {
  return async (send) => {
    const info = String(await send("INFO", ["server"]));
    const old = checkVersion(info);
    if (old !== undefined) throw old;
    const run = /^run_id:(\S+)/m.exec(info)?.[1] ?? "";
    const { epoch, seq } = seen();
    const reply = await send("EVAL", [
      scripts.open,
      String(keys.all.length),
      ...keys.all,
      run,
      epoch,
      String(seq),
      runtime.randomHex(4),
    ]);
    return readSnapshot(reply);
  };
}

function readSnapshot(reply: unknown): Snapshot {
  const [, epoch, seq, status, metadata, nowMs, signalId, epochs] = reply as [
    number,
    ...[string, string, string, string, string, string],
    string[],
  ];
  return {
    epoch,
    epochs: epochs.map((text) => {
      const [id = "", firstOffset = "1"] = text.split(":");
      return { id, firstOffset: Number(firstOffset) };
    }),
    seq: Number(seq),
    status,
    metadata,
    nowMs: Number(nowMs),
    signalId,
  };
}
