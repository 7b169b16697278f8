import { create } from "./dom.ts";

/** Copies a text. Browsers give the clipboard's own interface to pages from https and from this machine only. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const before = document.activeElement;
  const area = create("textarea", "sr");
  area.value = text;
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}

/** Copies, and says on the button itself for a moment whether that went well. */
export function copyWith(
  button: HTMLButtonElement,
  after: (ms: number, run: () => void) => void,
  text: string,
): void {
  const label = button.dataset["label"] ?? button.textContent ?? "";
  button.dataset["label"] = label;
  void copy(text).then((isCopied) => {
    button.textContent = isCopied ? "Copied" : "Not allowed";
    after(1_500, () => {
      button.textContent = label;
    });
  });
}
