import { z } from "zod";
import type { Runtime } from "../runtime.ts";
import { VERSION } from "../version.ts";
import type { Target } from "./target.ts";
import { printable } from "./terminal.ts";
import { type Trouble, troubleOf, whyAndRepair } from "./trouble.ts";

/** One answer of a hub, or why there is none. */
export type Called =
  | { readonly ok: true; readonly status: number; readonly headers: Headers; readonly body: string }
  | { readonly ok: false; readonly code: string | undefined; readonly trouble: Trouble };

export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the first packet to the end of the answer. */
  readonly limitMs: number;
}

export const USER_AGENT = `vectra-hub/${VERSION}`;

/** Makes one request. Redirects are not followed: the secret must not go where nobody sent it. */
export async function call(
  target: Target,
  { method, path, headers = {}, body, limitMs }: Call,
  runtime: Pick<Runtime, "fetch" | "after">,
): Promise<Called> {
  const { url, init } = target.http(path);
  const abort = new AbortController();
  const cancel = runtime.after(limitMs, () => abort.abort());
  try {
    const response = await runtime.fetch(url, {
      ...init,
      method,
      headers: { ...headers, "user-agent": USER_AGENT },
      ...(body === undefined ? {} : { body }),
      redirect: "manual",
      signal: abort.signal,
    });
    return { ok: true, status: response.status, headers: response.headers, body: await response.text() };
  } catch (error) {
    if (abort.signal.aborted) {
      const trouble = { why: `no answer within ${limitMs} ms`, repair: "try again later" };
      return { ok: false, code: "ETIMEDOUT", trouble };
    }
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code, trouble: troubleOf({ code, message }) };
  } finally {
    cancel();
  }
}

/** The line for a hub that gave no answer. */
export function unreachable(target: Target, { trouble }: Extract<Called, { ok: false }>): string {
  return `${target.shown} cannot be reached: ${whyAndRepair(trouble)}`;
}

const problemSchema = z.object({ type: z.string(), title: z.string(), detail: z.string() });

/** The kind of a hub's error answer, e.g. `queue_full`; undefined where it is none. */
export function problemCode({ body }: { readonly body: string }): string | undefined {
  const read = problemSchema.safeParse(jsonOf(body));
  return read.success ? read.data.type.replace("urn:vectra:problem:", "") : undefined;
}

/** What an answer other than the wanted one says, for a person. */
export function refusalOf({ status, headers, body }: Extract<Called, { ok: true }>): string {
  const read = problemSchema.safeParse(jsonOf(body));
  if (read.success) return printable(`answers ${status} (${read.data.title}): ${read.data.detail}`);
  const location = headers.get("location");
  if (location !== null)
    return printable(`answers ${status} and points to ${location}: name that with --url`);
  return `answers ${status}, and not as a hub would: check the address`;
}

/** @returns undefined for a text that is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
