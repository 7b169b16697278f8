import { expect } from "bun:test";
import type { Hub } from "./hub.ts";
import { SECRET } from "./hub.ts";
import { openRaw, type RawOptions, type RawSocket } from "./rawsocket.ts";
import { openClient, type WsClient } from "./wsclient.ts";

/** The status frames of PROTOCOL.md section 1, as they stand on the wire. */
export const OFFLINE = '{"type":"WORKER_STATUS","status":"offline","metadata":null}';

/** `metadata` as an object, or as the very text that the worker wrote. */
export function online(metadata: object | string = {}): string {
  const text = typeof metadata === "string" ? metadata : JSON.stringify(metadata);
  return `{"type":"WORKER_STATUS","status":"online","metadata":${text}}`;
}

/** What a worker sends to name itself. */
export function register(metadata: unknown): string {
  return JSON.stringify({ type: "REGISTER_WORKER", metadata });
}

/** A dashboard that has had its first status frame. */
export async function joinClient(hub: Hub, status: string = OFFLINE): Promise<WsClient> {
  const client = await openClient(hub.wsUrl());
  expect(await client.next()).toBe(status);
  return client;
}

/** A worker that has been accepted. */
export async function joinWorker(hub: Hub, secret: string = SECRET): Promise<WsClient> {
  const worker = await openClient(hub.wsUrl("client_type=worker"), {
    headers: { "x-worker-secret": secret },
  });
  expect(await worker.next()).toBe(online());
  return worker;
}

/** A worker on a raw socket that has been accepted. */
export async function joinRawWorker(hub: Hub, options: RawOptions = {}): Promise<RawSocket> {
  const headers = { "x-worker-secret": SECRET, ...options.headers };
  const worker = await openRaw(hub.wsUrl("client_type=worker"), { ...options, headers });
  expect(await worker.nextText()).toBe(online());
  return worker;
}

/** A dashboard on a raw socket that has had its first status frame. */
export async function joinRawClient(
  hub: Hub,
  status: string = OFFLINE,
  options: RawOptions = {},
): Promise<RawSocket> {
  const client = await openRaw(hub.wsUrl(), options);
  expect(await client.nextText()).toBe(status);
  return client;
}
