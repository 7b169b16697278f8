import { test } from "bun:test";

type TestBody = () => void | Promise<void>;

/**
 * `test`, where what it needs is there. Elsewhere the test is skipped and the reason printed; with `CI=true` nothing
 * may be skipped, so that there it fails.
 */
export function testThatNeeds(
  need: string,
  isThere: boolean,
): (name: string, body: TestBody, limitMs?: number) => void {
  if (isThere) return (name, body, limitMs) => test(name, body, limitMs);
  if (process.env["CI"] === "true") {
    return (name) =>
      test(name, () => {
        throw new Error(`needs ${need}, and with CI=true nothing is skipped`);
      });
  }
  return (name, body) => {
    console.warn(`SKIPPED: ${name}: needs ${need}`);
    test.skip(name, body);
  };
}
