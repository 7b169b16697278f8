import { expect } from "bun:test";
import { type Answer, expectProblem, publish, receiptOf } from "../../support/api.ts";
import { within } from "../../support/deadline.ts";
import { untilReadiness } from "../../support/ready.ts";
import { testWithRedis } from "../../support/redis.ts";
import { follow } from "./follower.ts";
import { heal, startScene } from "./scene.ts";

// While Redis is away, a bounded number of messages waits for it; what is more is refused at once.

const WAITING = 10;
const MORE = 40;

testWithRedis(
  "more than REDIS_BUFFER_MESSAGES is refused at once; what waits is published when Redis is back",
  async () => {
    // No call is given up in the time of this test.
    const env = {
      REDIS_TIMEOUT_MS: "60000",
      REDIS_BUFFER_MESSAGES: String(WAITING),
      WORKER_LEASE_MS: "600000",
    };
    await using scene = await startScene({ env });
    const [node] = scene.nodes;
    const { hub, proxy } = node;
    using follower = await follow(hub);
    proxy.plan(() => ({ isRefused: true }));
    proxy.cutAll("reset");
    await untilReadiness(hub.url, 503);

    const refused: Answer[] = [];
    const answered = Promise.withResolvers<void>();
    const post = async (n: number): Promise<Answer> => {
      const answer = await publish(hub, `{"n":${n}}`);
      if (answer.status === 503) refused.push(answer);
      if (refused.length === MORE) answered.resolve();
      return answer;
    };
    const all = Promise.all(Array.from({ length: WAITING + MORE }, (_, n) => post(n)));
    // Whoever awaits it gets its error; it must not count as unhandled before.
    all.catch(() => undefined);
    await within(answered.promise, `${MORE} refusals while Redis is away`);
    heal(node);
    const taken = (await all).filter(({ status }) => status !== 503);
    expect([refused.length, taken.length]).toEqual([MORE, WAITING]);
    for (const answer of refused) expectProblem(answer, 503, "backplane");
    const ids = taken.map((answer) => receiptOf(answer).ids[0] ?? "");
    await follower.until("what has waited", () => follower.seen.length === WAITING);
    expect(follower.seen.map(({ cursor }) => cursor).sort()).toEqual(ids.sort());
  },
);
