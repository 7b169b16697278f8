import { byId, onNextFrame, setAttribute } from "./dom.ts";
import type { Entry, Messages } from "./messages.ts";
import { createRow, type Row } from "./row.ts";

/** The list of messages, of which only the visible rows are in the document. */
export interface Tail {
  /** Shows what has changed, with the next frame. */
  changed(): void;
  /** Goes to the newest message and stays with it. */
  follow(): void;
  /** Whether the newest message is in sight, and stays so. */
  readonly isFollowing: boolean;
  readonly active: Entry | undefined;
}

export interface TailOptions {
  readonly messages: Messages;
  /** The active row has become another one, by key or click. */
  readonly onActive: (entry: Entry) => void;
  readonly onOpen: (entry: Entry) => void;
  readonly onFollowing: () => void;
}

/** The height of a row, in CSS pixels: also in console.css. */
const ROW_PX = 28;
/** So many rows above and below the visible ones are there too, so that fast scrolling shows no gap. */
const MARGIN_ROWS = 6;

export function createTail({ messages, onActive, onOpen, onFollowing }: TailOptions): Tail {
  const { view } = messages;
  const list = byId("list", HTMLElement);
  const spacer = byId("spacer", HTMLElement);
  const container = byId("rows", HTMLElement);
  const rows: Row[] = [];
  let isFollowing = true;
  let active: Entry | undefined;
  let generation = 0;
  let evicted = 0;
  let knownTop = 0;

  const changed = onNextFrame(() => {
    const height = list.clientHeight;
    setHeight(view.length * ROW_PX);
    if (isFollowing) list.scrollTop = view.length * ROW_PX;
    else if (messages.generation === generation && messages.evicted > evicted) {
      // What is read must not move when older rows go.
      list.scrollTop -= (messages.evicted - evicted) * ROW_PX;
    }
    ({ generation, evicted } = messages);
    knownTop = list.scrollTop;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW_PX) - MARGIN_ROWS);
    const wanted = Math.min(view.length - first, Math.ceil(height / ROW_PX) + 2 * MARGIN_ROWS);
    while (rows.length < wanted) {
      const row = createRow(`row-${rows.length}`);
      rows.push(row);
      container.append(row.element);
    }
    container.style.transform = `translateY(${first * ROW_PX}px)`;
    let activeId = "";
    for (const [offset, row] of rows.entries()) {
      const entry = offset < wanted ? view.at(first + offset) : undefined;
      const isActive = entry !== undefined && entry.number === active?.number;
      row.show(entry, isActive, first + offset + 1, view.length);
      if (isActive) activeId = row.element.id;
    }
    if (activeId === "") list.removeAttribute("aria-activedescendant");
    else setAttribute(list, "aria-activedescendant", activeId);
    byId("empty", HTMLElement).hidden = view.length > 0;
  });

  const setHeight = (px: number): void => {
    const height = `${px}px`;
    if (spacer.style.height !== height) spacer.style.height = height;
  };
  const setFollowing = (now: boolean): void => {
    if (now === isFollowing) return;
    isFollowing = now;
    onFollowing();
  };

  /** The place of the first entry in the view that is not before this one. */
  const placeOf = (number: number): number => {
    let low = 0;
    let high = view.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((view.at(middle)?.number ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const moveTo = (place: number): void => {
    const target = Math.max(0, Math.min(view.length - 1, place));
    const entry = view.at(target);
    if (entry === undefined) return;
    active = entry;
    setFollowing(target === view.length - 1);
    const top = target * ROW_PX;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW_PX > list.scrollTop + list.clientHeight)
      list.scrollTop = top + ROW_PX - list.clientHeight;
    changed();
    onActive(entry);
  };

  list.addEventListener("scroll", () => {
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - ROW_PX / 2;
    // Not at the end after a change of the list's height, for instance, is no wish to stay there: moving up is.
    if (isAtEnd || list.scrollTop < knownTop) setFollowing(isAtEnd);
    knownTop = list.scrollTop;
    changed();
  });
  list.addEventListener("click", ({ target }) => {
    const element = target instanceof Element ? target.closest(".row") : null;
    const entry = rows.find((row) => row.element === element)?.entry;
    if (entry === undefined) return;
    active = entry;
    changed();
    onActive(entry);
    onOpen(entry);
  });
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(list.clientHeight / ROW_PX) - 1);
    const here = active === undefined ? view.length - 1 : placeOf(active.number);
    const to: Readonly<Record<string, number>> = {
      ArrowUp: here - 1,
      ArrowDown: here + 1,
      PageUp: here - page,
      PageDown: here + page,
      Home: 0,
      End: view.length - 1,
    };
    const place = to[event.key];
    if (place !== undefined) {
      event.preventDefault();
      // The first key only shows where one is.
      moveTo(active === undefined && event.key.startsWith("Arrow") ? here : place);
    } else if (event.key === "Enter" && active !== undefined) onOpen(active);
  });
  new ResizeObserver(changed).observe(list);

  return {
    changed,
    follow() {
      setFollowing(true);
      changed();
    },
    get isFollowing() {
      return isFollowing;
    },
    get active() {
      return active;
    },
  };
}
