import { nameOf } from "./ledger.ts";
import { type Post, postUntilAnswered } from "./post.ts";
import type { Run } from "./run.ts";

/** The hub remembers the fate of ten thousand commands; the test asks for that of each at the end. */
const COMMANDS_LIMIT = 3_000;
/** Far fewer commands than messages, as in life. */
const PAUSE_LIMIT_MS = 8;

/**
 * Sends commands for the worker, one after the other, each under a key; some again after they were answered.
 * @returns when the run ends and everything is accepted
 */
export async function runBackend(run: Run, from: string): Promise<void> {
  const random = run.randomFor(from);
  const posts: Post[] = [];

  const send = async (n: number, post: Post): Promise<void> => {
    const { id } = await postUntilAnswered(run, post);
    run.commands.accepted(nameOf({ from, n }), String(id));
  };

  for (let n = 1; !run.isEnding() && n <= COMMANDS_LIMIT; n += 1) {
    const text = JSON.stringify({ type: "RUN", from, n, pad: random.text(random.below(80)) });
    const post = { path: "/api/v1/worker/messages", key: `${from}:${n}`, body: text };
    run.commands.offered(nameOf({ from, n }), text);
    posts.push(post);
    await send(n, post);
    const again = random.below(n);
    if (random.below(10) === 0) await send(again + 1, posts[again] ?? post);
    await Bun.sleep(random.below(PAUSE_LIMIT_MS));
  }
}
