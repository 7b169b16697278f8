// Playwright's declarations name types of the DOM. Its whole library would change what `fetch`, `WebSocket` and others are
// for the rest of the tests, which run in Bun; so these are all there is. What runs in a page is given as text.

interface Node {
  readonly nodeType: number;
}

interface HTMLElement extends Node {
  readonly tagName: string;
}

interface SVGElement extends Node {
  readonly tagName: string;
}

interface HTMLElementTagNameMap {
  readonly [name: string]: HTMLElement;
}
