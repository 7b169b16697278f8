import { byId, create, onNextFrame, setAttribute, setText } from "./dom.ts";
import type { Messages } from "./messages.ts";
import { count } from "./numbers.ts";
import { hueOf } from "./row.ts";

/** The chips by which the tail is narrowed to some types. */
export interface TypeChips {
  /** The counts may have changed. */
  changed(): void;
  readonly chosen: ReadonlySet<string>;
}

/** The commonest types have a chip each. A stream has a handful; a thousand would be no help. */
const CHIP_LIMIT = 24;

export function createTypeChips(messages: Messages, onChange: () => void): TypeChips {
  const group = byId("types", HTMLElement);
  const chosen = new Set<string>();
  const chips = new Map<string, { readonly button: HTMLButtonElement; readonly number: HTMLElement }>();

  const chipFor = (type: string): HTMLButtonElement => {
    const button = create("button", "chip");
    button.type = "button";
    button.style.setProperty("--hue", String(hueOf(type)));
    const number = create("span", "number");
    button.append(create("span", "name", type === "" ? "no type" : type), number);
    button.addEventListener("click", () => {
      if (!chosen.delete(type)) chosen.add(type);
      setAttribute(button, "aria-pressed", String(chosen.has(type)));
      onChange();
    });
    setAttribute(button, "aria-pressed", "false");
    chips.set(type, { button, number });
    return button;
  };

  const changed = onNextFrame(() => {
    // Chips keep their places, so that none slips away under the pointer.
    for (const type of messages.types.keys()) {
      if (chips.has(type) || chips.size >= CHIP_LIMIT) continue;
      group.append(chipFor(type));
    }
    for (const [type, { button, number }] of chips) {
      const held = messages.types.get(type) ?? 0;
      setText(number, count(held));
      if (held > 0 || chosen.has(type)) continue;
      button.remove();
      chips.delete(type);
    }
  });
  return { changed, chosen };
}
