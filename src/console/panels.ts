import { byId, setAttribute } from "./dom.ts";

/** The panel at the side: a message, or the forms. One at a time, and the focus goes back to where it was. */
export interface Panels {
  readonly open: "message" | "operate" | undefined;
  show(name: "message" | "operate"): void;
  /** @returns whether there was one to close */
  close(): boolean;
}

export function createPanels(): Panels {
  const panels = { message: byId("message", HTMLElement), operate: byId("operate", HTMLElement) };
  const operateButton = byId("operate-open", HTMLButtonElement);
  let open: "message" | "operate" | undefined;
  let before: Element | null = null;

  const set = (name: "message" | "operate" | undefined): void => {
    open = name;
    for (const [each, panel] of Object.entries(panels)) panel.hidden = each !== name;
    document.body.classList.toggle("has-panel", name !== undefined);
    setAttribute(operateButton, "aria-expanded", String(name === "operate"));
  };
  const close = (): boolean => {
    if (open === undefined) return false;
    set(undefined);
    if (before instanceof HTMLElement) before.focus();
    return true;
  };
  const show = (name: "message" | "operate"): void => {
    if (open === undefined) before = document.activeElement;
    set(name);
    // A message is read beside the list, in which the arrow keys go on; the forms are for typing.
    if (name === "operate") {
      const secret = byId("secret", HTMLElement);
      (secret.hidden ? byId("publish-text", HTMLElement) : secret).focus();
    } else if (matchMedia("(width < 900px)").matches) panels.message.focus();
  };
  operateButton.addEventListener("click", () => (open === "operate" ? close() : show("operate")));
  for (const name of ["message", "operate"])
    byId(`${name}-close`, HTMLElement).addEventListener("click", close);
  return {
    get open() {
      return open;
    },
    show,
    close,
  };
}
