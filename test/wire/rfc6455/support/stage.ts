import { type Hub, startHub } from "../../../support/hub.ts";
import { joinRawClient, joinRawWorker, joinWorker, online } from "../../../support/parties.ts";
import type { RawSocket } from "../../../support/rawsocket.ts";
import { openClient } from "../../../support/wsclient.ts";

/** One hub for all cases, with a witness that sees each message that any worker gets through. */
export interface Stage extends AsyncDisposable {
  readonly hub: Hub;
  /** A connection of the case's own. A status frame has come, more of them may. */
  join(party: Party): Promise<RawSocket>;
  /** The messages that have reached the witness since the last time it was asked, in order. */
  delivered(): Promise<string[]>;
}

export type Party = "client" | "worker";

/** Whether the text is one of those that the hub sends to everybody whenever a worker comes or goes. */
export function isStatus(text: string): boolean {
  return text.startsWith('{"type":"WORKER_STATUS"');
}

export async function openStage(): Promise<Stage> {
  // Shared: the worker that marks where a case ends must not be replaced by the case's own.
  const hub = await startHub({ env: { WORKER_POLICY: "shared" } });
  const witness = await openClient(hub.wsUrl());
  const marker = await joinWorker(hub);
  let marks = 0;
  return {
    hub,
    join: (party) => (party === "worker" ? joinRawWorker(hub) : joinRawClient(hub, online())),
    async delivered() {
      marks += 1;
      const mark = JSON.stringify({ mark: marks });
      marker.send(mark);
      const texts: string[] = [];
      for (let text = await witness.next(); text !== mark; text = await witness.next()) {
        if (!isStatus(text)) texts.push(text);
      }
      return texts;
    },
    async [Symbol.asyncDispose]() {
      await witness[Symbol.asyncDispose]();
      await marker[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}
