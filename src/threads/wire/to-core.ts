import type { Credentials } from "../../auth/forward.ts";
import type { Key } from "../../backplane/backplane.ts";
import type { ConnectionCounts } from "../../hub/connection.ts";
import type { Source, Transport } from "../../observe/metrics.ts";

/** What an edge asks the core. The answer bears the same number. */
export type Question =
  /** With the messages' texts. */
  | {
      readonly op: "append";
      readonly source: Source;
      readonly worker?: string | undefined;
      readonly key?: Key | undefined;
      readonly heads: readonly MessageHead[];
      /** Nobody waits for the result: there is no answer. */
      readonly isMute?: true | undefined;
    }
  | { readonly op: "barrier" }
  | { readonly op: "locate"; readonly since: string }
  | {
      readonly op: "read";
      readonly offset: number;
      readonly upTo: number;
      readonly limitMessages: number;
      readonly limitBytes: number;
    }
  | { readonly op: "worker" }
  /** With the command's text. */
  | { readonly op: "send"; readonly ifOffline: "queue" | "reject"; readonly key?: Key | undefined }
  | { readonly op: "command"; readonly command: string }
  /** May this client come in, by CLIENT_AUTH_URL? */
  | { readonly op: "identify"; readonly credentials: Credentials }
  /** What operators look at, of the whole process. */
  | { readonly op: "page"; readonly page: OperatorPage };

export type MessageHead = readonly [type: string | null, conflationKey: string | number | null];
export type OperatorPage = "metrics" | "stats" | "ready";

/** How many connections want messages of some types: so many more, or fewer. `types` is null for all. */
export type AudienceChange = readonly [types: readonly string[] | null, transport: Transport, by: number];

/** What an edge tells of itself about once a second, and when it is asked. */
export interface Report extends ConnectionCounts {
  /** What has been counted since the last report: see observe/prometheus.ts. */
  readonly counts: readonly number[];
  readonly sse: number;
  readonly lagSeconds: number;
  /** Of the one thread that sends the canary. */
  readonly canary?: { readonly roundTripSeconds: number; readonly isOverdue: boolean } | undefined;
}

export type ToCore =
  | (Question & { readonly id: number })
  | {
      readonly op: "register";
      readonly token: string;
      readonly connId: string;
      readonly connectedAtMs: number;
      readonly lastSeenAtMs: number;
    }
  /** With the metadata. */
  | { readonly op: "describe"; readonly token: string }
  | { readonly op: "leave" | "ready"; readonly token: string }
  /** A worker has taken so many of the commands, and bytes of them, that it was sent. */
  | { readonly op: "taken"; readonly token: string; readonly commands: number; readonly bytes: number }
  | { readonly op: "acknowledge"; readonly ids: readonly string[]; readonly worker?: string | undefined }
  /** When something last came from a worker. `id` where the core has asked. */
  | {
      readonly op: "seen";
      readonly token: string;
      readonly atMs: number | undefined;
      readonly id?: number | undefined;
    }
  | { readonly op: "audience"; readonly changes: readonly AudienceChange[] }
  /** So many entries, and bytes of them, have been sent to everybody since this was last said. */
  | { readonly op: "sent"; readonly messages: number; readonly bytes: number }
  | { readonly op: "free"; readonly address: string }
  /**
   * The edge stands still for the answer (hotline.ts): may another client come in from this address? Or: a wrong secret came
   * from it.
   */
  | {
      readonly op: "call";
      readonly call: number;
      readonly what: "take" | "failure";
      readonly address: string;
    }
  /** The client that was to be identified has left. */
  | { readonly op: "giveUp"; readonly question: number }
  | { readonly op: "log"; readonly line: string }
  | { readonly op: "report"; readonly report: Report; readonly id?: number | undefined }
  | { readonly op: "listening" }
  | { readonly op: "failed"; readonly why: string; readonly isListenError: boolean }
  /** All its clients have been sent away; everybody has. */
  | { readonly op: "drained" | "stopped" };
