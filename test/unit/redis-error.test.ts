import { expect, test } from "bun:test";
import { replyCode } from "../../src/backplane/redis/error.ts";

const reply = (message: string): Error =>
  Object.assign(new Error(message), { code: "ERR_REDIS_SERVER_ERROR" });

test.each([
  ["NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT"],
  ["ERR value is not an integer or out of range", "ERR"],
  // Redis 7.0
  ["OOM command not allowed when used memory > 'maxmemory'. script: 072fb3df, on @user_script:80.", "OOM"],
  // Redis 6.2
  [
    "ERR Error running script (call to f_072fb3df503360cc88f198190799ef41e47c6746): @user_script:80: " +
      "@user_script: 80: -OOM command not allowed when used memory > 'maxmemory'.",
    "OOM",
  ],
  [
    "ERR Error running script (call to f_072fb3df): @user_script:12: @user_script: 12: -MISCONF Errors writing to the AOF file: No space left on device",
    "MISCONF",
  ],
  ["ERR Error running script (call to f_072fb3df): @user_script:3: attempt to index nil", "ERR"],
])("the code of %s", (message, code) => {
  expect(replyCode(reply(message))).toBe(code);
});

test("what is no answer of Redis has no code", () => {
  expect(replyCode(new Error("OOM"))).toBeUndefined();
  expect(replyCode("OOM")).toBeUndefined();
});
