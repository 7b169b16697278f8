import { byId } from "./dom.ts";

/**
 * Calls what belongs to a single key, unless somebody is typing, a dialog is open, or single keys are switched off (WCAG 2.2,
 * 2.1.4).
 */
export function listenForShortcuts(keys: Readonly<Record<string, () => void>>, onEscape: () => void): void {
  const help = byId("help", HTMLDialogElement);
  const isOn = byId("shortcuts", HTMLInputElement);
  const openHelp = (): void => help.showModal();
  byId("help-open", HTMLElement).addEventListener("click", openHelp);
  byId("help-close", HTMLElement).addEventListener("click", () => help.close());

  document.addEventListener("keydown", (event) => {
    if (help.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return onEscape();
    if (!isOn.checked || isTyping(event.target)) return;
    const run = event.key === "?" ? openHelp : keys[event.key];
    if (run === undefined) return;
    event.preventDefault();
    run();
  });
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLInputElement && target.type !== "checkbox")
  );
}
