/** The element of `index.html` with this id. */
export function byId<E extends HTMLElement>(id: string, type: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} with the id ${id}`);
  return found;
}

/** Text is the only way in which anything from the hub enters the document: markup in it stays markup. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A new element with a class and a text. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = "",
  text = "",
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

export type Tone = "good" | "warn" | "bad" | "idle";

/** A pill says its state in words and shows it as a colour. */
export function setPill(pill: HTMLElement, tone: Tone, text: string): void {
  setAttribute(pill, "data-tone", tone);
  const label = pill.firstElementChild;
  if (label !== null) setText(label, text);
}

/** Says something to those who use a screen reader. Sparingly: the tail itself says nothing. */
export function announce(text: string): void {
  setText(byId("announcer", HTMLElement), text);
}

/** Runs `draw` once before the next frame, however often it is asked to meanwhile. */
export function onNextFrame(draw: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      draw();
    });
  };
}
