import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Runtime } from "../../runtime.ts";
import { explain, LinkError, RedisError } from "./error.ts";
import { checkVersion } from "./handshake.ts";

/** More than this no server says before it is understood. */
const ANSWER_LIMIT_CHARS = 65_536;

/**
 * Why does Bun's client, which only says that the connection was closed, get no connection? Asks by hand.
 * @returns undefined where nothing is found
 */
export async function diagnose(url: string, timeoutMs: number, runtime: Runtime): Promise<Error | undefined> {
  try {
    return judge(await ask(new URL(url), timeoutMs, runtime));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") return new LinkError("no such host name");
    if (code === "ECONNREFUSED") return new LinkError("nobody listens there: is Redis running?");
    if (/CERT|SSL|TLS|ALTNAME/i.test(code)) {
      return new RedisError(
        `TLS fails (${code}): is it rediss://, with a certificate that is trusted here?`,
        true,
      );
    }
    return new LinkError(explain(error));
  }
}

function judge(answer: string): Error | undefined {
  const refused = /^-(\w+)[^\r]*/m.exec(answer);
  if (refused?.[1] === "LOADING") return new LinkError("Redis is still loading its data");
  // Whom it has refused it may still answer, as a user without a password.
  const isRefused =
    refused?.[1] === "WRONGPASS" ||
    (/^(NOAUTH|NOPERM|ERR)$/.test(refused?.[1] ?? "") && !answer.includes("redis_version:"));
  if (refused !== null && isRefused) {
    const words = refused[1] === "NOAUTH" ? "it wants a password" : "it refuses the user or the password";
    return new RedisError(`${words}: put them into the URL, as redis://user:password@host:port`, true);
  }
  return answer.includes("redis_version:")
    ? checkVersion(answer)
    : new LinkError("what answers there is no Redis");
}

/** Authenticates, and asks for INFO. The answer may hold nothing of what was sent. */
function ask(url: URL, timeoutMs: number, runtime: Runtime): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 6379 : Number(url.port);
  const socket =
    url.protocol === "rediss:" ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
  let answer = "";
  const cancel = runtime.after(timeoutMs, () => reject(new LinkError(`no answer within ${timeoutMs} ms`)));
  socket.on("error", reject);
  socket.on("close", () => resolve(answer));
  socket.on("data", (bytes: Buffer) => {
    answer += bytes.toString("latin1");
    if (/redis_version:|^-(?!ERR unknown)/m.test(answer) || answer.length > ANSWER_LIMIT_CHARS)
      resolve(answer);
  });
  const [user, password] = [url.username, url.password].map(decodeURIComponent);
  const auth = user === "" ? [password ?? ""] : [user ?? "", password ?? ""];
  const hello = password === "" ? "" : command(["AUTH", ...auth]);
  socket.write(hello + command(["INFO", "server"]));
  return promise.finally(() => {
    cancel();
    socket.destroy();
  });
}

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}
