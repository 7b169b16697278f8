import type { Random } from "../../support/random.ts";
import type { Body, Step } from "../case.ts";
import { ending, oneIn } from "./bytes.ts";
import { textFrame } from "./frame.ts";
import { encodeHead, handshakeHead } from "./handshake.ts";

/** Connections that come and go: whole ones, half handshakes, and such as end in the middle of anything. */
export function churn(random: Random): Body {
  const role = random.pick(["client", "stream", "worker", "stream-worker"] as const);
  const query = role === "stream" && oneIn(random, 2) ? "since=earliest" : "";
  const head = encodeHead(handshakeHead(random, role, query));
  const whole = Buffer.concat([head, textFrame(random, "ping"), textFrame(random, "get_worker_status")]);
  const cut = oneIn(random, 3) ? whole.length : random.below(whole.length + 1);
  const steps: Step[] = cut === 0 ? [] : [{ write: whole.subarray(0, cut) }];
  if (cut > head.length && oneIn(random, 2)) steps.push({ wait: "head" });
  else if (oneIn(random, 2)) steps.push({ wait: "turn" });
  return { steps, end: oneIn(random, 2) ? "reset" : ending(random) };
}
