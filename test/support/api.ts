import { expect } from "bun:test";
import { checkAnswer } from "./contract-answer.ts";
import { within } from "./deadline.ts";
import { type Hub, SECRET } from "./hub.ts";
import { CURSOR } from "./streamframe.ts";

/** The hub's HTTP calls (PROTOCOL.md section 4), as a backend would make them. */

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is: a text as UTF-8, bytes untouched. */
  readonly body?: string | Uint8Array;
}

export const AUTHORIZED = { "x-worker-secret": SECRET };
export const JSON_BODY = { ...AUTHORIZED, "content-type": "application/json" };
export const NDJSON_BODY = { ...AUTHORIZED, "content-type": "application/x-ndjson" };

/** One request and its whole answer. What the contract does not have fails the test. */
export async function call(hub: Hub, path: string, options: CallOptions = {}): Promise<Answer> {
  const exchange = async (): Promise<Answer> => {
    // A kept connection could outlive its hub and be taken for one to the next hub on the same port.
    const response = await fetch(`${hub.url}${path}`, { ...options, redirect: "manual", keepalive: false });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const answer = await within(exchange(), `answer to ${options.method ?? "GET"} ${path}`);
  checkAnswer({ method: options.method, path }, answer);
  return answer;
}

/** `POST /api/v1/publish` of one message. */
export function publish(hub: Hub, json: string, headers: Record<string, string> = {}): Promise<Answer> {
  return call(hub, "/api/v1/publish", { method: "POST", headers: { ...JSON_BODY, ...headers }, body: json });
}

/** `POST /api/v1/publish` of a batch. */
export function publishLines(
  hub: Hub,
  lines: readonly string[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = lines.map((line) => `${line}\n`).join("");
  return call(hub, "/api/v1/publish", { method: "POST", headers: { ...NDJSON_BODY, ...headers }, body });
}

/** `POST /api/v1/worker/messages`; `query` with its question mark. */
export function sendCommand(
  hub: Hub,
  json: string,
  { query = "", headers = {} }: { readonly query?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const path = `/api/v1/worker/messages${query}`;
  return call(hub, path, { method: "POST", headers: { ...JSON_BODY, ...headers }, body: json });
}

/** `GET /api/v1/worker/messages/{id}`. */
export function askCommand(hub: Hub, id: string): Promise<Answer> {
  return call(hub, `/api/v1/worker/messages/${id}`, { headers: AUTHORIZED });
}

export interface Receipt {
  readonly ids: readonly string[];
  readonly receivers: { readonly websocket: number; readonly sse: number };
}

/** Checks a publish's answer in full. */
export function receiptOf(answer: Answer): Receipt {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 202 });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  const receipt: Receipt = JSON.parse(answer.body);
  expect(Object.keys(receipt).sort()).toEqual(["ids", "receivers"]);
  expect(Object.keys(receipt.receivers).sort()).toEqual(["sse", "websocket"]);
  for (const id of receipt.ids) expect(id).toMatch(CURSOR);
  return receipt;
}

/** Checks a command's answer in full. */
export function acceptedOf(answer: Answer): { readonly id: string; readonly status: "sent" | "queued" } {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 202 });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  const accepted = JSON.parse(answer.body);
  expect(accepted).toEqual({
    id: expect.stringMatching(CURSOR),
    status: expect.stringMatching(/^(sent|queued)$/),
  });
  return accepted;
}

/** Publishes one message and returns its cursor. */
export async function publishOne(hub: Hub, json: string): Promise<string> {
  const [id] = receiptOf(await publish(hub, json)).ids;
  return id ?? "";
}

export interface CommandState {
  readonly id: string;
  readonly status: "queued" | "sent" | "acknowledged" | "expired";
  readonly attempts: number;
}

/** What the hub says of a command that it knows. */
export async function stateOf(hub: Hub, id: string): Promise<CommandState> {
  const answer = await askCommand(hub, id);
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
  expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  return JSON.parse(answer.body);
}

/** Asks again and again until the command has this status, for changes that no event announces. */
export async function untilStatus(
  hub: Hub,
  id: string,
  status: CommandState["status"],
): Promise<CommandState> {
  const ask = async (): Promise<CommandState> => {
    for (let state = await stateOf(hub, id); ; state = await stateOf(hub, id)) {
      if (state.status === status) return state;
      await Bun.sleep(10);
    }
  };
  return await within(ask(), `command ${id} ${status}`);
}

/** Waits until the hub knows, wherever it is asked, that no worker is there: the end of a connection may be on its way. */
export async function untilNoWorker(hub: Hub): Promise<void> {
  const ask = async (): Promise<void> => {
    while (JSON.parse((await call(hub, "/api/v1/worker")).body).conn_id !== null) await Bun.sleep(10);
  };
  await within(ask(), "the end of the worker");
}

/** Checks that an answer is a problem (RFC 9457) in every member, of this status and kind. */
export function expectProblem(answer: Answer, status: number, kind: string): void {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status });
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json\b/);
  const problem: Record<string, unknown> = JSON.parse(answer.body);
  expect(problem).toEqual({
    type: `urn:vectra:problem:${kind}`,
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
  });
}

/** The `detail` of a problem, for people. */
export function detailOf(answer: Answer): string {
  return String(JSON.parse(answer.body).detail);
}
