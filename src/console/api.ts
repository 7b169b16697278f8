/** What the hub answered, or why it did not. */
export interface Answer {
  readonly ok: boolean;
  /** 0 where the hub could not be reached. */
  readonly status: number;
  readonly text: string;
  /** The hub's clock. */
  readonly dateMs: number | undefined;
}

export interface Asked {
  readonly secret?: string | undefined;
  readonly body?: string;
  /** Makes it harmless to ask again after a lost answer (PROTOCOL.md, section 4). */
  readonly key?: string;
}

/** A hub that has not answered by then counts as out of reach, or a dead connection would keep a form waiting for ever. */
const ANSWER_LIMIT_MS = 15_000;

/** One HTTP call to the hub. Never throws. */
export async function ask(
  method: "GET" | "POST",
  url: string,
  { secret, body, key }: Asked = {},
): Promise<Answer> {
  const headers = new Headers();
  if (secret !== undefined) headers.set("x-worker-secret", secret);
  if (key !== undefined) headers.set("idempotency-key", key);
  if (body !== undefined) headers.set("content-type", "application/json");
  try {
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const response = await fetch(url, { method, headers, body: body ?? null, cache: "no-store", signal });
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    return {
      ok: response.ok,
      status: response.status,
      text: await response.text(),
      dateMs: Number.isNaN(dateMs) ? undefined : dateMs,
    };
  } catch {
    return { ok: false, status: 0, text: "", dateMs: undefined };
  }
}

/** Why a call was refused, in the hub's own words (RFC 9457). */
export function refusalOf({ status, text }: Answer): string {
  if (status === 0)
    return "The hub cannot be reached. Try again: a message that arrived is not published twice.";
  try {
    const { detail } = JSON.parse(text);
    if (typeof detail === "string") return `${status}: ${detail}`;
  } catch {
    // A proxy's page, for instance.
  }
  return `The hub answers ${status}.`;
}
