import { checkAnswer } from "./contract-answer.ts";
import { within } from "./deadline.ts";
import { connectTcp } from "./tcp.ts";

/** The head of a raw request: what no HTTP client library would let a test send. */
export interface RequestHead {
  readonly method?: string;
  readonly path: string;
  /** Instead of the URL's own host; `null` for no Host header at all. */
  readonly host?: string | null;
  /** In this order and spelling; a value is sent as UTF-8, or as the bytes given. */
  readonly headers?: readonly (readonly [name: string, value: string | Uint8Array])[];
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const CRLF = "\r\n";

/** The bytes of a request without a body. */
export function encodeRequest(host: string, request: RequestHead): Uint8Array {
  const lines: Uint8Array[] = [Buffer.from(`${request.method ?? "GET"} ${request.path} HTTP/1.1${CRLF}`)];
  if (request.host !== null) lines.push(Buffer.from(`Host: ${request.host ?? host}${CRLF}`));
  for (const [name, value] of request.headers ?? []) {
    lines.push(
      Buffer.from(`${name}: `),
      typeof value === "string" ? Buffer.from(value) : value,
      Buffer.from(CRLF),
    );
  }
  return Buffer.concat([...lines, Buffer.from(CRLF)]);
}

/** A response's head, and where it ends, once `bytes` hold all of it. */
export function parseHead(bytes: Uint8Array): { status: number; headers: Headers; size: number } | undefined {
  const end = Buffer.from(bytes).indexOf(CRLF + CRLF);
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = Buffer.from(bytes.subarray(0, end)).toString("latin1").split(CRLF);
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { status: Number(statusLine.split(" ")[1]), headers, size: end + 4 };
}

/** Sends one request on a connection of its own and reads the response to its end. What the contract does not have fails the test. */
export async function rawRequest(url: string, request: RequestHead): Promise<RawResponse> {
  const tcp = await connectTcp(url);
  const { promise, resolve, reject } = Promise.withResolvers<RawResponse>();
  let held: Uint8Array = new Uint8Array();
  tcp.receive((chunk) => {
    held = Buffer.concat([held, chunk]);
    const head = parseHead(held);
    if (head === undefined) return;
    const length = Number(head.headers.get("content-length") ?? 0);
    if (held.length < head.size + length) return;
    resolve({ ...head, body: Buffer.from(held.subarray(head.size, head.size + length)).toString() });
  });
  void tcp.closed.then(() =>
    reject(new Error(`closed before a whole response: ${Buffer.from(held).toString()}`)),
  );
  tcp.write(encodeRequest(new URL(url).host, request));
  try {
    const response = await within(promise, `response to ${request.method ?? "GET"} ${request.path}`);
    checkAnswer(request, response);
    return response;
  } finally {
    tcp.reset();
  }
}
