import { create, setAttribute, setText } from "./dom.ts";
import type { Entry } from "./messages.ts";
import { preciseTimeOf, timeOf } from "./runtime.ts";

/** One row of the list. It shows one entry after another. */
export interface Row {
  readonly element: HTMLElement;
  readonly entry: Entry | undefined;
  /** @param place counts from 1, among `all` */
  show(entry: Entry | undefined, isActive: boolean, place: number, all: number): void;
}

/** More does not fit on any screen. */
const PREVIEW_CHARS = 600;

export function createRow(id: string): Row {
  const element = create("div", "row");
  element.id = id;
  element.setAttribute("role", "option");
  const time = create("span", "time");
  const second = create("span");
  const millisecond = create("span", "ms");
  time.append(second, millisecond);
  const type = create("span", "type");
  const text = create("span", "text");
  element.append(time, type, text);
  let shown: Entry | undefined;

  return {
    element,
    get entry() {
      return shown;
    },
    show(entry, isActive, place, all) {
      if (element.hidden !== (entry === undefined)) element.hidden = entry === undefined;
      if (entry === undefined) {
        shown = undefined;
        return;
      }
      setAttribute(element, "aria-selected", String(isActive));
      setAttribute(element, "aria-posinset", String(place));
      setAttribute(element, "aria-setsize", String(all));
      if (entry === shown) return;
      shown = entry;
      element.className = `row ${entry.kind}${entry.isReplayed ? " replayed" : ""}`;
      setAttribute(element, "data-tone", entry.kind === "note" ? entry.id : "");
      element.style.setProperty("--hue", String(hueOf(entry.type)));
      setText(second, timeOf(entry.atMs));
      setText(millisecond, preciseTimeOf(entry.atMs).slice(-4));
      setText(type, entry.type);
      setText(text, preview(entry.text));
    },
  };
}

/** The beginning of a message on one line, without the type, which stands beside it. */
function preview(text: string): string {
  return text
    .slice(0, PREVIEW_CHARS)
    .replace(/^\{\s*"type"\s*:\s*"[^"\\]*"\s*,\s*/, "{")
    .replace(/\s+/g, " ");
}

/** A colour for a type: the same on every page and day. */
export function hueOf(type: string): number {
  let hash = 2_166_136_261;
  for (let i = 0; i < type.length; i += 1) hash = Math.imul(hash ^ type.charCodeAt(i), 16_777_619);
  return (hash >>> 8) % 360;
}
