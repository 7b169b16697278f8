import type { Random } from "../../support/random.ts";
import type { Body, Step } from "../case.ts";
import { ending, oneIn, segments } from "./bytes.ts";
import { encodeHead, type Head, mutateHead } from "./handshake.ts";
import { cursor, types } from "./target.ts";

/** Event streams from odd positions (PROTOCOL.md, section 4; WHATWG HTML, section 9.2). */
export function events(random: Random): Body {
  const query = [
    ...(oneIn(random, 2) ? [`types=${types(random)}`] : []),
    ...(oneIn(random, 2) ? [`since=${cursor(random)}`] : []),
  ].join("&");
  let head: Head = {
    method: oneIn(random, 15) ? "HEAD" : "GET",
    target: `/api/v1/events${query === "" ? "" : `?${query}`}`,
    headers: [
      ["Host", "hub"],
      ["Accept", random.pick(["text/event-stream", "*/*", "application/json", ""])],
      ...(oneIn(random, 2) ? [["Last-Event-ID", cursor(random)] as const] : []),
    ],
  };
  if (oneIn(random, 6)) head = mutateHead(random, head);
  const steps: Step[] = [...segments(random, encodeHead(head)), { wait: "head" }];
  // A second request behind the first one, which never ends.
  if (oneIn(random, 10)) steps.push({ write: encodeHead(head) });
  return { steps, end: ending(random) };
}
