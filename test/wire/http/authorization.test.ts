import { describe, expect, test } from "bun:test";
import { call, expectProblem } from "../../support/api.ts";
import { SECRET, startHub } from "../../support/hub.ts";
import { joinClient } from "../../support/parties.ts";

// Who may call (PROTOCOL.md section 4): `x-worker-secret: S` or `Authorization: Bearer S`, 401 otherwise.

const PUBLISH = "/api/v1/publish";
const COMMANDS = "/api/v1/worker/messages";
const COMMAND = "/api/v1/worker/messages/0011223344556677";

describe.each([
  ["POST", PUBLISH],
  ["POST", COMMANDS],
  ["GET", COMMAND],
])("%s %s without the secret is 401:", (method, path) => {
  const body = method === "GET" ? {} : { body: '{"type":"A"}' };
  const json = { "content-type": "application/json" };
  const wrong: Record<string, Record<string, string>> = {
    "nothing at all": {},
    "an empty header": { "x-worker-secret": "" },
    "another secret": { "x-worker-secret": "another secret" },
    "a part of it": { "x-worker-secret": SECRET.slice(0, -1) },
    "more than it": { "x-worker-secret": `${SECRET}0` },
    "the same in capitals": { "x-worker-secret": SECRET.toUpperCase() },
    "another bearer token": { authorization: "Bearer another" },
    "an empty bearer token": { authorization: "Bearer " },
    "the secret without a scheme": { authorization: SECRET },
    "the secret as basic credentials": { authorization: `Basic ${btoa(`worker:${SECRET}`)}` },
    "a header of another name": { "x-secret": SECRET },
  };
  test.each(Object.keys(wrong))("%s", async (name) => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const answer = await call(hub, path, { method, headers: { ...json, ...wrong[name] }, ...body });
    expectProblem(answer, 401, "unauthorized");
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer\b/);
    expect(await client.untilPong()).toEqual([]);
    expect(answer.body).not.toContain(SECRET);
    expect(hub.output()).not.toContain(SECRET.slice(0, 8));
  });

  test("the secret as a query parameter, which only a WebSocket may use", async () => {
    await using hub = await startHub();
    const answer = await call(hub, `${path}?token=${SECRET}`, { method, headers: json, ...body });
    expectProblem(answer, 401, "unauthorized");
    expect(hub.output()).not.toContain(SECRET.slice(0, 8));
  });
});

const PREVIOUS = "the-one-before-the-present-one-5b1c";
const ACCEPTED: Record<string, Record<string, string>> = {
  "the x-worker-secret header": { "x-worker-secret": SECRET },
  "a bearer token": { authorization: `Bearer ${SECRET}` },
  "a bearer token in another spelling": { authorization: `bearer ${SECRET}` },
  "a bearer token beside an empty header": { "x-worker-secret": "", authorization: `Bearer ${SECRET}` },
  "the previous one": { "x-worker-secret": PREVIOUS },
};
test.each(Object.keys(ACCEPTED))("the secret is taken as %s", async (name) => {
  const headers = ACCEPTED[name];
  await using hub = await startHub({ env: { WORKER_SECRET_PREVIOUS: PREVIOUS } });
  const answer = await call(hub, PUBLISH, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: "{}",
  });
  expect(answer.status).toBe(202);
});
