import { createChart } from "./chart.ts";
import { announce, byId, onNextFrame, setAttribute, setText, type Tone } from "./dom.ts";
import { createTypeChips } from "./filters.ts";
import { startLink } from "./link.ts";
import { createMessagePanel } from "./message-panel.ts";
import { createMessages, type Entry } from "./messages.ts";
import { count, counted } from "./numbers.ts";
import { createOperate } from "./operate.ts";
import { createPageCard } from "./page-card.ts";
import { createPanels } from "./panels.ts";
import { createRates } from "./rates.ts";
import { eachSecond, nowMs } from "./runtime.ts";
import { listenForShortcuts } from "./shortcuts.ts";
import { createTail } from "./tail.ts";
import { createWorkerCard } from "./worker-card.ts";

// The console: it puts its parts together and says what each does to the others.

const rates = createRates();
const chart = createChart(rates);
const messages = createMessages();
const panels = createPanels();
const drawPage = createPageCard();
const worker = createWorkerCard((isOnline) => rates.worker(nowMs(), isOnline));
const operate = createOperate(() => worker.look());

const search = byId("search", HTMLInputElement);
const pause = byId("pause", HTMLButtonElement);
const latest = byId("latest", HTMLButtonElement);
const status = byId("tail-status", HTMLElement);
const replayFrom = byId("replay-from", HTMLInputElement);

const messagePanel = createMessagePanel((cursor) => replay(cursor));
const chips = createTypeChips(messages, () => filter());
const tail = createTail({
  messages,
  onActive(entry) {
    if (panels.open === "message") showMessage(entry);
  },
  onOpen: (entry) => open(entry),
  onFollowing: () => changed(),
});

const drawStatus = onNextFrame(() => {
  const { view, held, waiting, isPaused } = messages;
  const isFiltered = search.value !== "" || chips.chosen.size > 0;
  const shown = isFiltered
    ? `${count(view.length)} of ${counted(held, "line")} pass the filter`
    : counted(held, "line");
  setText(status, isPaused ? `Paused, ${count(waiting)} more since. ${shown}` : shown);
  latest.hidden = tail.isFollowing;
});

function changed(): void {
  tail.changed();
  chips.changed();
  drawStatus();
}

const link = startLink({
  onMessage({ id, type, text, replayed }) {
    const atMs = nowMs();
    messages.add({ kind: "message", id, type: type ?? "", text, atMs, isReplayed: replayed });
    if (!replayed) rates.count(atMs);
    changed();
    drawLink();
  },
  onStatus: (now) => worker.status(now),
  onNote(tone: Tone, text) {
    messages.add({ kind: "note", id: tone, type: "", text, atMs: nowMs(), isReplayed: false });
    announce(text);
    changed();
  },
  onReplay() {
    messages.clear();
    if (messages.isPaused) togglePause();
    tail.follow();
    changed();
  },
  onChange: () => drawLink(),
});
const drawLink = onNextFrame(() => drawPage(link.view()));

function filter(): void {
  messages.filter({ types: chips.chosen, search: search.value });
  changed();
}

function togglePause(): void {
  if (messages.isPaused) {
    const lost = messages.resume();
    if (lost > 0) {
      const text = `${counted(lost, "message")} went by while paused and are no longer held here`;
      messages.add({ kind: "note", id: "warn", type: "", text, atMs: nowMs(), isReplayed: false });
    }
  } else messages.pause();
  setAttribute(pause, "aria-pressed", String(messages.isPaused));
  setText(pause, messages.isPaused ? "Go on" : "Pause");
  changed();
}

function showMessage(entry: Entry): void {
  if (entry.kind === "message") messagePanel.show(entry);
}

function open(entry: Entry): void {
  if (entry.kind === "note") return;
  showMessage(entry);
  panels.show("message");
}

function replay(since: string): void {
  if (since === "") {
    replayFrom.focus();
    return;
  }
  replayFrom.value = since === "earliest" ? "" : since;
  link.replay(since);
}

function goToLatest(): void {
  if (messages.isPaused) togglePause();
  tail.follow();
}

search.addEventListener("input", filter);
pause.addEventListener("click", togglePause);
latest.addEventListener("click", goToLatest);
byId("clear", HTMLElement).addEventListener("click", () => {
  messages.clear();
  changed();
});
byId("replay", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  replay(replayFrom.value.trim());
});
byId("replay-all", HTMLElement).addEventListener("click", () => replay("earliest"));
byId("link", HTMLElement).addEventListener("click", () => link.tryNow());

listenForShortcuts(
  {
    "/": () => search.focus(),
    p: togglePause,
    l: goToLatest,
    r: () => replayFrom.focus(),
    o: () => panels.show("operate"),
    c: () => {
      if (tail.active === undefined) return;
      open(tail.active);
      messagePanel.copy();
    },
  },
  () => {
    if (panels.close()) return;
    const { activeElement } = document;
    if (activeElement instanceof HTMLElement) activeElement.blur();
  },
);

eachSecond(() => {
  const view = link.view();
  worker.tick(view);
  drawPage(view);
  chart.draw(nowMs());
  if (panels.open === "operate") operate.tick();
});
chart.draw(nowMs());
drawLink();
