import { ask } from "./api.ts";
import { byId, setText } from "./dom.ts";
import { apiUrl, HAS_STATS } from "./endpoints.ts";
import { counted } from "./numbers.ts";
import { after } from "./runtime.ts";
import { createSendForm } from "./send-form.ts";
import { showStats } from "./stats.ts";

/** The panel for those who have the secret. It is a variable of this function: in no address, storage or attribute. */
export interface Operate {
  /** Called each second while the panel is open. */
  tick(): void;
}

const STATS_INTERVAL_S = 2;
/** How often it is asked what has become of a command, … */
const COMMAND_INTERVAL_MS = 500;
/** … and for how long: the hub's default for COMMAND_TTL_MS, and then some. */
const COMMAND_LOOKS = 720;

/** @param onCommand is told that the queue may have changed */
export function createOperate(onCommand: () => void): Operate {
  const form = byId("unlock", HTMLFormElement);
  const input = byId("secret", HTMLInputElement);
  const result = byId("secret-result", HTMLOutputElement);
  const button = byId("unlock-button", HTMLButtonElement);
  const unlocked = byId("unlocked", HTMLElement);
  const note = byId("stats-note", HTMLElement);
  let secret: string | undefined;
  let seconds = 0;

  const lock = (why: string): void => {
    secret = undefined;
    unlocked.hidden = true;
    input.hidden = false;
    setText(button, "Unlock");
    setText(result, why);
    result.dataset["tone"] = "bad";
  };
  const refresh = async (): Promise<string | undefined> => {
    if (secret === undefined || !HAS_STATS) return undefined;
    const asked = secret;
    const refusal = await showStats(asked);
    if (asked !== secret) return undefined;
    note.hidden = refusal === undefined;
    setText(note, refusal ?? "");
    return refusal;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = input.value;
    input.value = "";
    if (secret !== undefined) return lock("Locked: the secret is forgotten.");
    if (typed === "") return input.focus();
    secret = typed;
    void refresh().then((refusal) => {
      if (refusal !== undefined) return lock(`Not accepted. ${refusal}`);
      unlocked.hidden = false;
      input.hidden = true;
      byId("publish-text", HTMLElement).focus();
      setText(button, "Lock");
      result.dataset["tone"] = "good";
      setText(result, HAS_STATS ? "The secret is accepted." : "");
    });
  });
  if (!HAS_STATS) {
    note.hidden = false;
    setText(note, "This hub has its stats on a port of its own (OPS_PORT).");
  }

  createSendForm({
    name: "publish",
    example: '{"type":"NOTICE","text":"hello"}',
    url: () => apiUrl("api/v1/publish"),
    secret: () => secret,
    onAccepted({ text }, say) {
      const { ids, receivers } = JSON.parse(text);
      const reached = counted(receivers.websocket + receivers.sse, "receiver");
      say(`Published as ${ids[0]}, ${reached}`);
    },
  });

  const reject = byId("command-reject", HTMLInputElement);
  let latest = "";
  createSendForm({
    name: "command",
    example: '{"type":"PING_WORKER"}',
    url: () => apiUrl(`api/v1/worker/messages${reject.checked ? "?if_offline=reject" : ""}`),
    secret: () => secret,
    onAccepted({ text }, say) {
      const { id, status } = JSON.parse(text);
      latest = id;
      say(`${id}: ${status}`);
      onCommand();
      void watch(id, say);
    },
  });
  /** What becomes of the newest command, until it is acknowledged or has expired. */
  const watch = async (id: string, say: (text: string) => void): Promise<void> => {
    for (let look = 0; look < COMMAND_LOOKS && id === latest && secret !== undefined; look += 1) {
      const answer = await ask("GET", apiUrl(`api/v1/worker/messages/${id}`), { secret });
      if (!answer.ok) return;
      const { status, attempts } = JSON.parse(answer.text);
      say(`${id}: ${status}, ${counted(attempts, "attempt")}`);
      if (status !== "queued" && status !== "sent") return onCommand();
      await new Promise<void>((resolve) => after(COMMAND_INTERVAL_MS, resolve));
    }
  };

  return {
    tick() {
      seconds += 1;
      if (seconds % STATS_INTERVAL_S === 0) void refresh();
    },
  };
}
