import type { Answer } from "./api.ts";
import { checkAnswer } from "./contract-answer.ts";
import { encodeRequest, parseHead, type RequestHead } from "./http.ts";
import type { Hub } from "./hub.ts";
import { createQueue } from "./queue.ts";
import { connectTcp } from "./tcp.ts";

/**
 * An HTTP/1.1 connection on which a test decides what is sent when, as no HTTP client would. An answer that the contract
 * does not have fails the test.
 */
export interface HttpConnection extends AsyncDisposable {
  /** Sends a head, and then a body piece by piece, framed as the head says. Waits for nothing. */
  send(head: RequestHead, pieces?: Iterable<string | Uint8Array>): void;
  /** The next answer, in the order of the requests. It must have a Content-Length. */
  answer(): Promise<Answer>;
}

export async function openConnection(hub: Hub): Promise<HttpConnection> {
  const tcp = await connectTcp(hub.url);
  const answers = createQueue<Answer>();
  const asked: RequestHead[] = [];
  let held: Uint8Array = new Uint8Array();
  tcp.receive((chunk) => {
    held = Buffer.concat([held, chunk]);
    for (let head = parseHead(held); head !== undefined; head = parseHead(held)) {
      const end = head.size + Number(head.headers.get("content-length"));
      if (held.length < end) return;
      const body = Buffer.from(held.subarray(head.size, end)).toString();
      held = held.subarray(end);
      answers.push({ status: head.status, headers: head.headers, body });
    }
  });
  void tcp.closed.then(() => answers.end("the connection has ended"));
  return {
    send(head, pieces = []) {
      asked.push(head);
      tcp.write(encodeRequest(new URL(hub.url).host, head));
      for (const piece of pieces) tcp.write(piece);
    },
    async answer() {
      const answer = await answers.next("answer");
      const request = asked.shift();
      if (request !== undefined) checkAnswer(request, answer);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      tcp.reset();
      await tcp.closed;
    },
  };
}
