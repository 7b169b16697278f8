import type { Random } from "../../support/random.ts";
import { nameOf } from "./ledger.ts";
import { makeMessage } from "./messages.ts";
import { type Post, postUntilAnswered } from "./post.ts";
import type { Run } from "./run.ts";

const BATCH_LIMIT = 20;

interface Request {
  readonly post: Post;
  /** The messages in it. */
  readonly names: readonly string[];
}

/**
 * Publishes over HTTP, one request after the other: single messages and batches, each under a key of its own. Some
 * requests are made twice at the same time, some again long after they were answered.
 * @returns when the run ends and everything is acknowledged
 */
export async function runPublisher(run: Run, from: string): Promise<void> {
  const random = run.randomFor(from);
  const answered: Request[] = [];
  let count = 0;

  const nextRequest = (): Request => {
    const size = random.below(4) === 0 ? 2 + random.below(BATCH_LIMIT - 1) : 1;
    const first = count + 1;
    count += size;
    return requestOf(run, random, from, first, size);
  };

  while (!run.isEnding()) {
    const earlier = random.below(20) === 0 ? answered[random.below(answered.length)] : undefined;
    const request = earlier ?? nextRequest();
    const callers = random.below(10) === 0 ? 2 : 1;
    await Promise.all(Array.from({ length: callers }, () => publish(run, request)));
    answered.push(request);
  }
}

function requestOf(run: Run, random: Random, from: string, first: number, size: number): Request {
  const numbers = Array.from({ length: size }, (_, index) => first + index);
  const texts = numbers.map((n) => makeMessage(random, from, n));
  const names = numbers.map((n) => nameOf({ from, n }));
  for (const [index, name] of names.entries()) run.ledger.offered(name, texts[index] ?? "");
  const contentType = size === 1 ? "application/json" : "application/x-ndjson";
  const post = { path: "/api/v1/publish", contentType, key: `${from}:${first}`, body: texts.join("\n") };
  return { post, names };
}

async function publish(run: Run, { post, names }: Request): Promise<void> {
  const { ids } = await postUntilAnswered(run, post);
  if (!Array.isArray(ids) || ids.length !== names.length)
    throw new Error(`${names.length} messages under ${post.key} were answered with ${JSON.stringify(ids)}`);
  for (const [index, name] of names.entries()) run.ledger.acknowledged(name, ids[index]);
}
