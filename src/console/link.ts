import { connect } from "../client/connect.ts";
import type { WorkerStatus } from "../client/frame.ts";
import type { Connection, ConnectionInfo, Received } from "../client/options.ts";
import type { Tone } from "./dom.ts";
import { HubWebSocket, hubUrl } from "./endpoints.ts";
import { counted } from "./numbers.ts";
import { durationOf, nowMs, timeOf } from "./runtime.ts";

/** The page's own connection to the stream, in words. */
export interface Link {
  view(): LinkView;
  /** Begins anew after this cursor, or with `earliest` at the oldest message held. */
  replay(since: string): void;
  tryNow(): void;
}

export interface LinkView {
  readonly tone: Tone;
  readonly state: string;
  /** What has become of the stream: since when it is live, or what a reconnect has brought. */
  readonly lead: string;
  readonly isLive: boolean;
  readonly transport: string;
  readonly cursor: string | undefined;
  readonly heartbeatMs: number | undefined;
  readonly resumed: number;
  readonly resets: number;
  readonly received: number;
}

export interface LinkOptions {
  readonly onMessage: (message: Received) => void;
  readonly onStatus: (status: WorkerStatus) => void;
  /** Something that belongs between the messages: a loss, a resume, a gap. */
  readonly onNote: (tone: Tone, text: string) => void;
  readonly onReplay: () => void;
  readonly onChange: () => void;
}

export function startLink({ onMessage, onStatus, onNote, onReplay, onChange }: LinkOptions): Link {
  let connection: Connection;
  let since: string | undefined;
  let received = 0;
  let caughtUp = 0;
  let lostAtMs: number | undefined;
  let gap: string | undefined;
  let error: string | undefined;
  let lead = "";
  /** Of the connections before the last replay. */
  let before = { resumed: 0, resets: 0 };

  const note = (tone: Tone, text: string): void => {
    lead = text;
    onNote(tone, text);
  };
  const becameLive = (): void => {
    const missed = counted(caughtUp, "message");
    const took = lostAtMs === undefined ? "" : ` after ${durationOf(nowMs() - lostAtMs)}`;
    if (gap !== undefined) note("bad", gap);
    else if (lostAtMs !== undefined) note("good", `Resumed${took}: ${missed} caught up, nothing missed`);
    else if (since !== undefined) note("good", `Replayed ${missed}: live from here`);
    else lead = `Live since ${timeOf(nowMs())}`;
    lostAtMs = undefined;
    gap = undefined;
    onChange();
  };
  const changed = (info: ConnectionInfo): void => {
    if (info.state === "open") {
      caughtUp = 0;
    } else if (lostAtMs === undefined && info.openSinceMs === undefined && info.lastEnd !== undefined) {
      if (lead !== "") {
        lostAtMs = nowMs();
        note("warn", `Connection lost: ${endOf(info)}`);
      }
    }
    onChange();
  };

  const open = (): void => {
    const current = connect(hubUrl(), {
      WebSocket: HubWebSocket,
      since,
      statusMessages: true,
      onMessage(message) {
        received += 1;
        if (message.replayed) caughtUp += 1;
        onMessage(message);
      },
      onStatus,
      onReset({ reason }) {
        if (reason === "start") return;
        const why = reason === "evicted" ? "no longer holds all of it" : "does not know that cursor";
        gap = `Gap: messages may be missing, for the hub ${why}. Live from here`;
      },
      onLive: becameLive,
      onState: (_, info) => changed(info),
    });
    connection = current;
    void current.closed.then((ended) => {
      if (ended === undefined || current !== connection) return;
      error = ended.message;
      note("bad", `Ended: ${ended.message}`);
      onChange();
    });
  };
  open();

  return {
    view() {
      const info = connection.info();
      return {
        ...words(info),
        lead: lead === "" ? "Not connected yet" : lead,
        isLive: info.state === "open" && info.isLive,
        transport: info.transport === "sse" ? "Server-Sent Events" : "WebSocket",
        cursor: connection.lastId,
        heartbeatMs: info.heartbeatMs,
        resumed: before.resumed + info.resumed,
        resets: before.resets + info.resets,
        received,
        ...(error === undefined ? {} : { lead: error }),
      };
    },
    replay(from) {
      const { resumed, resets } = connection.info();
      before = { resumed: before.resumed + resumed, resets: before.resets + resets };
      connection.close();
      since = from;
      lostAtMs = undefined;
      gap = undefined;
      error = undefined;
      lead = "";
      onReplay();
      open();
      onChange();
    },
    tryNow: () => connection.tryNow(),
  };
}

function words({ state, isLive, tries, nextTryAtMs }: ConnectionInfo): Pick<LinkView, "tone" | "state"> {
  if (state === "open")
    return isLive ? { tone: "good", state: "Live" } : { tone: "warn", state: "Catching up" };
  if (state === "closed") return { tone: "bad", state: "Ended" };
  if (state === "connecting")
    return tries > 1 ? { tone: "warn", state: "Reconnecting" } : { tone: "idle", state: "Connecting" };
  const waitMs = Math.max(0, (nextTryAtMs ?? 0) - nowMs());
  return { tone: "warn", state: `Reconnecting in ${durationOf(waitMs)}` };
}

function endOf({ lastEnd }: ConnectionInfo): string {
  const code = lastEnd?.code ?? 0;
  const reason = lastEnd?.reason ?? "";
  if (code === 1012 || code === 1001) return `the hub ${code === 1012 ? "restarts" : "stops"} (${code})`;
  if (code === 1013) return `the hub is at capacity, or this page too slow (1013)`;
  return [reason === "" ? "without a word" : reason, code === 0 ? "" : `(${code})`].join(" ").trim();
}
