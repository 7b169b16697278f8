import { copyWith } from "./clipboard.ts";
import { byId, create, setText } from "./dom.ts";
import { layOut } from "./json-text.ts";
import type { Entry } from "./messages.ts";
import { bytes } from "./numbers.ts";
import { after, preciseTimeOf } from "./runtime.ts";

/** The panel that shows one message in full. */
export interface MessagePanel {
  show(entry: Entry): void;
  copy(): void;
}

/** More coloured pieces than this make a page slow; the text is then shown in one colour. */
const COLOURED_LIMIT = 20_000;

export function createMessagePanel(onReplay: (cursor: string) => void): MessagePanel {
  const title = byId("message-title", HTMLElement);
  const cursor = byId("message-cursor", HTMLElement);
  const time = byId("message-time", HTMLElement);
  const size = byId("message-size", HTMLElement);
  const json = byId("message-json", HTMLElement);
  const copyJson = byId("copy-json", HTMLButtonElement);
  const copyCursor = byId("copy-cursor", HTMLButtonElement);
  let shown: Entry | undefined;

  const copy = (): void => {
    if (shown !== undefined) copyWith(copyJson, after, shown.text);
  };
  copyJson.addEventListener("click", copy);
  copyCursor.addEventListener("click", () => {
    if (shown !== undefined) copyWith(copyCursor, after, shown.id);
  });
  byId("replay-here", HTMLButtonElement).addEventListener("click", () => {
    if (shown !== undefined) onReplay(shown.id);
  });

  return {
    copy,
    show(entry) {
      if (entry === shown) return;
      shown = entry;
      setText(title, entry.type === "" ? "Message" : entry.type);
      setText(cursor, entry.id);
      setText(time, `${preciseTimeOf(entry.atMs)}${entry.isReplayed ? " (replayed: sent earlier)" : ""}`);
      setText(size, bytes(new TextEncoder().encode(entry.text).length));
      json.replaceChildren(...formatted(entry.text));
      json.scrollTop = 0;
    },
  };
}

function formatted(text: string): (Node | string)[] {
  const tokens = layOut(text);
  if (tokens === undefined) return [text];
  if (tokens.length > COLOURED_LIMIT) return [tokens.map((token) => token.text).join("")];
  return tokens.map(({ kind, text }) =>
    kind === "space" || kind === "mark" ? text : create("span", kind, text),
  );
}
