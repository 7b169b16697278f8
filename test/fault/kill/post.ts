import { SECRET } from "../../support/hub.ts";
import type { Run } from "./run.ts";

export interface Post {
  readonly path: string;
  readonly contentType?: string;
  readonly key: string;
  readonly body: string;
}

/** How long a caller waits after a broken connection or a refusal. Only so that it does not spin. */
const PAUSE_MS = 2;

/**
 * Posts until there is an answer, each time under the same key, as a caller does that does not know whether the hub
 * has got it.
 * @returns the body of the 202
 */
export async function postUntilAnswered(
  { hub, mayRefuse }: Pick<Run, "hub" | "mayRefuse">,
  post: Post,
): Promise<Record<string, unknown>> {
  while (true) {
    await hub.up();
    const answer = await tryPost(hub.url, post);
    if (answer?.status === 202) return JSON.parse(answer.body);
    const isRefused = answer?.status === 503 && mayRefuse;
    if (answer !== undefined && !isRefused)
      throw new Error(`${post.path} under ${post.key}: ${answer.status} ${answer.body}`);
    await Bun.sleep(PAUSE_MS);
  }
}

/** @returns undefined when the connection broke before the whole answer was there */
async function tryPost(
  url: string,
  { path, contentType = "application/json", key, body }: Post,
): Promise<{ status: number; body: string } | undefined> {
  try {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": contentType, "idempotency-key": key, "x-worker-secret": SECRET },
      body,
    });
    return { status: response.status, body: await response.text() };
  } catch {
    return undefined;
  }
}
