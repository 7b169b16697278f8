// The one entry of the package `vectra-hub/client`.
// biome-ignore-start lint/performance/noBarrelFile: an entry is there to export
export type { Command } from "./commands.ts";
export { connect } from "./connect.ts";
export { HubError, type HubErrorCode } from "./errors.ts";
export type { WorkerStatus } from "./frame.ts";
export type { LineInfo, State } from "./line.ts";
export type {
  Connection,
  ConnectionInfo,
  ConnectOptions,
  Invalid,
  Message,
  Received,
  Reset,
  Validator,
} from "./options.ts";
export type { OutboxLimit } from "./outbox.ts";
export type { ClientRuntime } from "./runtime.ts";
export type { Ended, TransportName } from "./transport.ts";
export { connectWorker, type PublishOptions, type Worker, type WorkerOptions } from "./worker.ts";
// biome-ignore-end lint/performance/noBarrelFile: an entry is there to export
