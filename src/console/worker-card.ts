import type { WorkerStatus } from "../client/frame.ts";
import { memberText } from "../protocol/member.ts";
import { ask } from "./api.ts";
import { announce, byId, setPill, setText, type Tone } from "./dom.ts";
import { clientApiUrl } from "./endpoints.ts";
import { layOut } from "./json-text.ts";
import type { LinkView } from "./link.ts";
import { count } from "./numbers.ts";
import { durationOf, nowMs, timeOf } from "./runtime.ts";

/** The card about the worker. */
export interface WorkerCard {
  /** The stream says so. */
  status(status: WorkerStatus): void;
  /** Called each second. */
  tick(link: LinkView): void;
  /** Looks now, e.g. because a command was sent. */
  look(): void;
}

/** `GET /api/v1/worker`, with times in milliseconds since 1970. */
interface Seen {
  readonly connId: string | null;
  readonly connectedAtMs: number;
  readonly lastSeenAtMs: number;
  readonly queued: number;
  /** By how much the hub's clock is ahead of this page's. */
  readonly skewMs: number;
}

const LOOK_INTERVAL_S = 2;
/** A worker that pings or answers pings cannot be silent for longer than a heartbeat and a bit. */
const QUIET_HEARTBEATS = 1.2;
const QUIET_SLACK_MS = 1_500;
/** Clocks that differ by less count as equal: the Date header has whole seconds. */
const SKEW_TOLERANCE_MS = 2_000;

/** @param onState is told of each change, for the chart */
export function createWorkerCard(onState: (isOnline: boolean | undefined) => void): WorkerCard {
  const pill = byId("worker-state", HTMLElement);
  const since = byId("worker-since", HTMLElement);
  const seenText = byId("worker-seen", HTMLElement);
  const queued = byId("worker-queued", HTMLElement);
  const flapsText = byId("worker-flaps", HTMLElement);
  const metadata = byId("worker-metadata", HTMLElement);
  const pageOpenedAt = timeOf(nowMs()).slice(0, 5);
  let isOnline: boolean | undefined;
  let changedAtMs: number | undefined;
  let flaps = 0;
  let seen: Seen | undefined;
  let isLooking = false;
  let seconds = 0;
  let heartbeatMs: number | undefined;
  let isLive = false;

  const draw = (): void => {
    const now = nowMs();
    const silentMs = seen === undefined || seen.connId === null ? 0 : now + seen.skewMs - seen.lastSeenAtMs;
    const isQuiet = heartbeatMs !== undefined && silentMs > heartbeatMs * QUIET_HEARTBEATS + QUIET_SLACK_MS;
    const [tone, text, lead] = ((): [Tone, string, string] => {
      if (isOnline === undefined) return ["idle", "Not known yet", "Waiting for the hub"];
      if (!isLive)
        return ["idle", "Unknown", `Was ${isOnline ? "online" : "offline"} when the connection was lost`];
      if (!isOnline)
        return [
          "bad",
          "Offline",
          changedAtMs === undefined ? "No worker so far" : ago("Gone since", changedAtMs, now),
        ];
      const from = seen?.connId === null ? undefined : seen && seen.connectedAtMs - seen.skewMs;
      const lead = from === undefined ? "Online" : ago("Online since", from, now);
      return isQuiet ? ["warn", "Silent", lead] : ["good", "Online", lead];
    })();
    setPill(pill, tone, text);
    setText(since, lead);
    setText(seenText, seen === undefined || seen.connId === null ? "–" : `${durationOf(silentMs)} ago`);
    setText(queued, seen === undefined ? "–" : count(seen.queued));
    setText(flapsText, flaps === 0 ? "0" : `${flaps} since ${pageOpenedAt}`);
  };

  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    const answer = await ask("GET", clientApiUrl("api/v1/worker"));
    isLooking = false;
    if (!answer.ok) return;
    const body = JSON.parse(answer.text);
    const skewMs = (answer.dateMs ?? nowMs()) - nowMs();
    seen = {
      connId: body.conn_id,
      connectedAtMs: Date.parse(body.connected_at),
      lastSeenAtMs: Date.parse(body.last_seen),
      queued: body.queued,
      skewMs: Math.abs(skewMs) > SKEW_TOLERANCE_MS ? skewMs : 0,
    };
    // The text, not the parsed value: an identifier in it may be a 64-bit integer.
    const text = body.metadata === null ? "" : (memberText(answer.text, "metadata") ?? "");
    metadata.hidden = text === "" || text === "{}";
    setText(
      metadata,
      layOut(text)
        ?.map((token) => (token.kind === "space" ? " " : token.text))
        .join("") ?? text,
    );
    draw();
  };

  return {
    status({ status }) {
      const now = status === "online";
      if (now !== isOnline) {
        if (isOnline === true) flaps += 1;
        if (isOnline !== undefined) {
          changedAtMs = nowMs();
          announce(`The worker is ${status}`);
        }
        isOnline = now;
      }
      onState(now);
      void look();
      draw();
    },
    tick(link) {
      ({ heartbeatMs, isLive } = link);
      onState(isLive ? isOnline : undefined);
      seconds += 1;
      if (isLive && document.visibilityState === "visible" && seconds % LOOK_INTERVAL_S === 0) void look();
      draw();
    },
    look: () => void look(),
  };
}

function ago(what: string, fromMs: number, toMs: number): string {
  return `${what} ${timeOf(fromMs)}, ${durationOf(toMs - fromMs)}`;
}
