import type { Config } from "../../config/schema.ts";
import type { Share } from "../../hub/drain.ts";
import type { WorkerStatus } from "../../protocol/status.ts";
import type { EntryHeads } from "./entries.ts";

/** What an edge thread is given to start with. */
export interface EdgeStart {
  readonly config: Config;
  /** From 0. */
  readonly thread: number;
  /** See hotline.ts and tally.ts. */
  readonly hotline: SharedArrayBuffer;
  readonly tally: SharedArrayBuffer;
  readonly host: string;
  readonly port: number;
  readonly stream: StreamStart;
}

/** Where the stream is, and who works. */
export interface StreamStart {
  readonly head: number;
  readonly cursor: string;
  readonly status: WorkerStatus;
}

export type ToEdge =
  /** With the entries' texts. */
  | ({ readonly op: "entries" } & EntryHeads)
  | { readonly op: "reset"; readonly why: string; readonly stream: StreamStart }
  | { readonly op: "status"; readonly status: WorkerStatus }
  | { readonly op: "registered"; readonly token: string; readonly status: WorkerStatus }
  | { readonly op: "superseded"; readonly token: string; readonly why: "replaced" | "lost" }
  | { readonly op: "hold"; readonly token: string; readonly isHeld: boolean }
  /** So many messages of a worker, and bytes of them, have been let in since this was last said. */
  | { readonly op: "accepted"; readonly token: string; readonly messages: number; readonly bytes: number }
  /** With the commands' texts. */
  | {
      readonly op: "commands";
      readonly token: string;
      readonly heads: readonly (readonly [id: string, attempt: number])[];
    }
  | { readonly op: "answer"; readonly id: number; readonly value?: unknown }
  /** The answer to a `read`, with the entries' texts. */
  | ({ readonly op: "entriesRead"; readonly id: number } & EntryHeads)
  /** There is no answer to a question. */
  | { readonly op: "failed"; readonly id: number; readonly why: string }
  /** When did something last come from this worker? */
  | { readonly op: "see"; readonly id: number; readonly token: string }
  /** Say how you are; `id` where somebody waits for it. Bears how many bytes of log lines have been taken since the last. */
  | { readonly op: "report"; readonly id?: number | undefined; readonly logged: number }
  /** Take no new connections. */
  | { readonly op: "unlisten" }
  /** Send the clients away, over so long. */
  | { readonly op: "drain"; readonly spreadMs: number; readonly share: Share }
  /** Send everybody away who is left. */
  | { readonly op: "stop" };
