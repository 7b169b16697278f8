import { byId, setPill, setText } from "./dom.ts";
import type { LinkView } from "./link.ts";
import { count } from "./numbers.ts";

/** The card about this page's own connection, and the pill in the bar. */
export function createPageCard(): (view: LinkView) => void {
  const pill = byId("link", HTMLElement);
  const transport = byId("page-transport", HTMLElement);
  const lead = byId("page-lead", HTMLElement);
  const resumed = byId("page-resumed", HTMLElement);
  const resets = byId("page-resets", HTMLElement);
  const received = byId("page-received", HTMLElement);
  const cursor = byId("page-cursor", HTMLElement);
  return (view) => {
    setPill(pill, view.tone, view.state);
    setText(transport, view.isLive ? view.transport : view.state);
    setText(lead, view.lead);
    setText(resumed, count(view.resumed));
    setText(resets, count(view.resets));
    setText(received, count(view.received));
    setText(cursor, view.cursor ?? "–");
    cursor.title = view.cursor ?? "";
  };
}
