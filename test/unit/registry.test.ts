import { expect, test } from "bun:test";
import { createRegistry } from "../../src/backplane/registry.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";

function make(graceMs: number) {
  const runtime = createFakeRuntime();
  const told: string[] = [];
  const registry = createRegistry({
    config: { WORKER_POLICY: "replace", WORKER_OFFLINE_GRACE_MS: graceMs },
    runtime,
    announce: ({ status }) => told.push(status),
    replaced: (token) => told.push(`replaced ${token}`),
  });
  const register = (token: string): void =>
    registry.register({ token, connId: token, connectedAtMs: 0, lastSeenAtMs: () => 0 });
  return { runtime, told, registry, register };
}

// The hub ends: between its farewell and the end of a worker's connection, in another thread, the worker may still publish.
test.each([0, 1_000])(
  "after its end a worker is registered until it goes, without a word (grace %i)",
  (graceMs) => {
    const { runtime, told, registry, register } = make(graceMs);
    register("w");
    registry.stop();
    expect(registry.has("w")).toBe(true);
    registry.leave("w");
    runtime.advance(10_000);
    expect(registry.has("w")).toBe(false);
    expect(told).toEqual(["online"]);
  },
);

test("a grace that runs when it ends is not waited for", () => {
  const { runtime, told, registry, register } = make(1_000);
  register("w");
  registry.leave("w");
  registry.stop();
  runtime.advance(10_000);
  expect(told).toEqual(["online"]);
});
