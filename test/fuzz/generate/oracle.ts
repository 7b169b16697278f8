/** The media types of the POSTs (PROTOCOL.md, section 4). */
export type Media = "application/json" | "application/x-ndjson";

const MESSAGE_LIMIT_BYTES = 1_048_576;
const BATCH_LIMIT_MESSAGES = 10_000;

/** What the contract says of a body: the messages that it holds, or with which status it is refused. */
export type Expected = { readonly status: 202; readonly texts: string[] } | { readonly status: 400 | 413 };

/** Judges a body by the contract alone, in another way than the hub does. */
export function expectedOf(body: Uint8Array, media: Media): Expected {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return body.length > MESSAGE_LIMIT_BYTES && media === "application/json"
      ? { status: 413 }
      : { status: 400 };
  }
  if (media === "application/json") {
    if (body.length > MESSAGE_LIMIT_BYTES) return { status: 413 };
    return isMessage(text) ? { status: 202, texts: [text] } : { status: 400 };
  }
  const texts = text
    .split("\n")
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => /[^ \t\r]/.test(line));
  for (const [at, line] of texts.entries()) {
    if (at >= BATCH_LIMIT_MESSAGES || Buffer.byteLength(line) > MESSAGE_LIMIT_BYTES) return { status: 413 };
    if (!isMessage(line)) return { status: 400 };
  }
  return texts.length === 0 ? { status: 400 } : { status: 202, texts };
}

/** A JSON object whose type is not reserved (section 0). */
function isMessage(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const type: unknown = Object.entries(value).find(([key]) => key === "type")?.[1];
    return type !== "WORKER_STATUS" && type !== "REGISTER_WORKER";
  } catch {
    return false;
  }
}
