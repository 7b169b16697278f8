import { SECRET } from "../support/hub.ts";
import type { Scene } from "./scene.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Longer than any answer takes on a busy machine: what takes longer does not come. */
const ANSWER_LIMIT_MS = 60_000;
const RETRY_MS = 50;

/** One HTTP call as the backend makes it, on a connection of its own. Rejects where there is no answer. */
export async function call(
  { url }: Pick<Scene, "url">,
  path: string,
  init: { readonly method?: string; readonly body?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    ...init,
    headers: { "x-worker-secret": SECRET, "content-type": "application/json", ...init.headers },
    keepalive: false,
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  return { status: response.status, body: await response.text() };
}

export interface PublishOptions {
  readonly key?: string | undefined;
}

/**
 * Publishes one message, or several as a batch.
 * @returns their cursors; undefined where the hub was busy (503), which it may be
 * @throws Error on any other answer, and where there is none
 */
export async function publish(
  scene: Pick<Scene, "url" | "count">,
  texts: readonly string[],
  { key }: PublishOptions = {},
): Promise<readonly string[] | undefined> {
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  if (texts.length > 1) headers["content-type"] = "application/x-ndjson";
  const body = texts.length > 1 ? texts.map((text) => `${text}\n`).join("") : (texts[0] ?? "");
  const { status, body: answer } = await call(scene, "/api/v1/publish", { method: "POST", headers, body });
  if (status === 503) {
    scene.count("publishes refused as busy");
    return undefined;
  }
  if (status !== 202) throw new Error(`publish: ${status} ${answer.slice(0, 300)}`);
  const { ids } = JSON.parse(answer);
  if (!Array.isArray(ids) || ids.length !== texts.length)
    throw new Error(`${texts.length} messages got the receipt ${answer.slice(0, 300)}`);
  scene.count("messages published over HTTP", texts.length);
  return ids;
}

/**
 * Does again what a hub that is restarting did not answer. Only for what may be done twice: reading, and what has a key.
 * @throws what it threw last, when there has been no answer for a minute
 */
export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + ANSWER_LIMIT_MS;
  while (true) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await Bun.sleep(RETRY_MS);
    }
  }
}
