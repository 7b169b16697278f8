import { setImmediate } from "node:timers/promises";
import { encodeFrame, OPCODE } from "../../../support/frame.ts";
import type { RawSocket } from "../../../support/rawsocket.ts";
import type { Case, Deviation, Outcome } from "./case.ts";
import { delivered, eventsOf } from "./outcome.ts";
import type { Party } from "./stage.ts";

/** `together`: one write. `bytes`: a write for each byte. A number: in two segments, cut there. */
export type Pacing = "together" | "bytes" | number;

export interface ExchangeSpec {
  readonly title: string;
  /** Who sends; a client's messages but `ping` and `get_worker_status` have no effect, a worker's are delivered. */
  readonly as?: Party;
  readonly send: readonly Uint8Array[];
  readonly pacing?: Pacing;
  readonly expected: Outcome;
  readonly deviation?: Deviation | undefined;
}

/** A case that sends frames on an open connection and looks at what comes of them. */
export function exchange({ as = "client", pacing = "together", send, ...spec }: ExchangeSpec): Case {
  return {
    title: spec.title,
    expected: spec.expected,
    ...(spec.deviation === undefined ? {} : { deviation: spec.deviation }),
    async observe(stage, awaited) {
      // What a case that failed has left behind is not this one's.
      await stage.delivered();
      await using socket = await stage.join(as);
      await write(socket, Buffer.concat(send), pacing);
      const events = await eventsOf(socket, awaited.includes("end"));
      return [...events, ...(await stage.delivered()).map(delivered)];
    },
  };
}

async function write(socket: RawSocket, bytes: Uint8Array, pacing: Pacing): Promise<void> {
  if (pacing === "together") return socket.tcp.write(bytes);
  if (pacing === "bytes") {
    for (const byte of bytes) {
      socket.tcp.write(Uint8Array.of(byte));
      await setImmediate();
    }
    return;
  }
  // The pong says that the hub has read the first segment to its end, so that the second cannot be read with it.
  const cut = Buffer.from("cut");
  const ping = encodeFrame({ opcode: OPCODE.ping, payload: cut });
  socket.tcp.write(Buffer.concat([ping, bytes.subarray(0, pacing)]));
  for (let frame = await socket.next(); !cut.equals(frame.payload); ) frame = await socket.next();
  socket.tcp.write(bytes.subarray(pacing));
}
