import { describe, expect, test } from "bun:test";
import { within } from "../support/deadline.ts";
import { type Close, encodeFrame, OPCODE, readClose } from "../support/frame.ts";
import { type Hub, type HubEnv, SECRET, startHub } from "../support/hub.ts";
import { joinClient, joinWorker, OFFLINE, online, register } from "../support/parties.ts";
import { openRaw, type RawOptions, type RawSocket } from "../support/rawsocket.ts";

// PROTOCOL.md section 1, "Worker authentication".

interface Attempt {
  /** The value of `x-worker-secret`; no header without it. */
  readonly header?: string | Uint8Array;
  /** The value of `token`, not yet percent-encoded. */
  readonly token?: string;
  readonly clientType?: string;
}

const OTHER = "b1946ac92492d2347c6235b4d2611184e";

function attemptUrl(hub: Hub, attempt: Attempt): string {
  const token = attempt.token === undefined ? "" : `&token=${encodeURIComponent(attempt.token)}`;
  return hub.wsUrl(`client_type=${encodeURIComponent(attempt.clientType ?? "worker")}${token}`);
}

function openAttempt(hub: Hub, attempt: Attempt, options: RawOptions = {}): Promise<RawSocket> {
  return openRaw(attemptUrl(hub, attempt), { ...options, headers: { "x-worker-secret": attempt.header } });
}

/** The first frame: the status that an accepted worker gets, or the close frame. */
async function outcome(hub: Hub, attempt: Attempt): Promise<"accepted" | Close> {
  await using socket = await openAttempt(hub, attempt);
  const first = await socket.next();
  if (first.opcode === OPCODE.close) return readClose(first);
  expect(Buffer.from(first.payload).toString()).toBe(online());
  return "accepted";
}

async function expectRefused(hub: Hub, attempt: Attempt): Promise<void> {
  expect(await outcome(hub, attempt)).toEqual({ code: 1008, reason: expect.stringMatching(/./) });
}

const ACCEPTED: Record<string, Attempt> = {
  "the secret in the header": { header: SECRET },
  "the secret as token": { token: SECRET },
  "the secret in the header beside a wrong token": { header: SECRET, token: OTHER },
  "an empty header beside the right token": { header: "", token: SECRET },
};

const REFUSED: Record<string, Attempt> = {
  nothing: {},
  "an empty header": { header: "" },
  "an empty token": { token: "" },
  "an empty header beside a wrong token": { header: "", token: OTHER },
  "a wrong header": { header: OTHER },
  "a wrong token": { token: OTHER },
  "a wrong header beside the right token": { header: OTHER, token: SECRET },
  "a secret that is one character short": { header: SECRET.slice(0, -1) },
  "a secret that is one character long": { header: `${SECRET}1` },
  "the secret twice": { header: SECRET + SECRET },
  "a token that is one character short": { token: SECRET.slice(0, -1) },
  "the secret in upper case": { header: SECRET.toUpperCase() },
  "another secret of the same length": { header: SECRET.replace("7", "8") },
  "a very long secret": { header: "x".repeat(8000) },
};

describe("with one secret", () => {
  for (const [name, attempt] of Object.entries(ACCEPTED)) {
    test(`accepts ${name}`, async () => {
      await using hub = await startHub();
      expect(await outcome(hub, attempt)).toBe("accepted");
    });
  }

  test.each(Object.keys(REFUSED))("refuses %s", async (name) => {
    await using hub = await startHub();
    await expectRefused(hub, REFUSED[name] ?? {});
  });

  test.each(["WORKER", "worker ", "backend", "client,worker", "\u0000", "客户"])(
    "refuses the unknown client_type %j, with the right secret and without",
    async (clientType) => {
      await using hub = await startHub();
      await expectRefused(hub, { clientType, header: SECRET });
      await expectRefused(hub, { clientType });
    },
  );

  test("takes no notice of a client's secrets", async () => {
    await using hub = await startHub();
    await using socket = await openAttempt(hub, { clientType: "client", header: OTHER, token: OTHER });
    expect(await socket.nextText()).toBe(OFFLINE);
  });
});

describe("with characters beyond ASCII", () => {
  const secret = "clé-секрет-鍵-🔥-0123456789abcdef";
  const env: HubEnv = { WORKER_SECRET: secret };

  test("accepts the same bytes, in the header as UTF-8 and in the token percent-encoded", async () => {
    await using hub = await startHub({ env });
    expect(await outcome(hub, { header: secret })).toBe("accepted");
    expect(await outcome(hub, { token: secret })).toBe("accepted");
  });

  const lookalikes: Record<string, string | Uint8Array> = {
    "another letter of as many bytes": secret.replace("é", "è"),
    "the letter and its accent apart": secret.normalize("NFD"),
    "another key of the same code unit count": secret.replace("🔥", "🔦"),
    "question marks": secret.replace(/[^ -~]/g, "?"),
    "replacement characters": secret.replace(/[^ -~]/g, "\ufffd"),
    "the low bytes of its characters": Buffer.from(secret, "latin1"),
    "a byte that differs in its highest bit": Buffer.from(secret).map((byte, at) =>
      at === 0 ? byte | 0x80 : byte,
    ),
  };
  test.each(Object.keys(lookalikes))("refuses %s", async (name) => {
    await using hub = await startHub({ env });
    const lookalike = lookalikes[name] ?? "";
    await expectRefused(hub, { header: lookalike });
    if (typeof lookalike === "string") await expectRefused(hub, { token: lookalike });
  });

  test("reads a token's reserved characters", async () => {
    const reserved = "a+b&c=d%20e/f?g#h;i'j\"k 0123456789abcdef";
    await using hub = await startHub({ env: { WORKER_SECRET: reserved } });
    expect(await outcome(hub, { token: reserved })).toBe("accepted");
    await expectRefused(hub, { token: decodeURIComponent(reserved) });
  });
});

describe("with a previous secret", () => {
  const env: HubEnv = { WORKER_SECRET_PREVIOUS: OTHER };

  test("accepts the new and the previous one, by header and by token", async () => {
    await using hub = await startHub({ env });
    expect(await outcome(hub, { header: SECRET })).toBe("accepted");
    expect(await outcome(hub, { header: OTHER })).toBe("accepted");
    expect(await outcome(hub, { token: OTHER })).toBe("accepted");
    await expectRefused(hub, { header: SECRET + OTHER });
    await expectRefused(hub, { header: "" });
  });
});

describe("a refused worker", () => {
  test("gets nothing but the close frame, even while the stream flows", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using refused = await openAttempt(hub, { header: OTHER });
    worker.send('{"type":"DOC_UPDATE"}');
    await worker.untilPong();

    const { code } = await refused.nextClose();
    expect(code).toBe(1008);
    refused.close(code);
    await expect(refused.next()).rejects.toThrow("ended");
    await within(refused.tcp.closed, "end of the refused connection");
  });

  test("is never registered, and what it pipelines behind the handshake is not taken", async () => {
    await using hub = await startHub();
    await using client = await joinClient(hub);
    const texts = [register({ hostname: "evil" }), '{"type":"DOC_UPDATE","evil":true}', "ping"];
    const pipelined = Buffer.concat(texts.map((payload) => encodeFrame({ opcode: OPCODE.text, payload })));
    await using refused = await openAttempt(hub, { header: OTHER }, { pipelined });

    expect((await refused.nextClose()).code).toBe(1008);
    refused.tcp.halfClose();
    await within(refused.tcp.closed, "end of the refused connection");
    expect(await client.untilPong()).toEqual([]);
    client.send("get_worker_status");
    expect(await client.next()).toBe(OFFLINE);
  });

  test("does not disturb the worker that is there", async () => {
    await using hub = await startHub();
    await using worker = await joinWorker(hub);
    await using client = await joinClient(hub, online());
    await expectRefused(hub, { header: OTHER });

    expect(await worker.untilPong()).toEqual([]);
    expect(await client.untilPong()).toEqual([]);
  });

  test("leaves a SECURITY line in the log, without the secret that it sent or the right one", async () => {
    await using hub = await startHub({
      env: { LOG_LEVEL: "debug", WORKER_SECRET_PREVIOUS: "Zq8!previous-one-Zq8!previous-one" },
    });
    await expectRefused(hub, { header: OTHER });
    await expectRefused(hub, { token: "Xy7-a-wrong-token-Xy7" });
    await expectRefused(hub, { clientType: "nobody", token: "Wv6-beside-a-bad-type" });
    expect(await outcome(hub, { token: SECRET })).toBe("accepted");
    const lines = await hub.waitForLogs(
      "unauthorized workers",
      2,
      (line) => line.event === "SECURITY" && line.msg.startsWith("Unauthorized Worker Attempt"),
    );
    for (const line of lines) expect(line).toMatchObject({ level: "warning", scope: "websocket_endpoint" });

    expect(await hub.stop()).toBe(0);
    for (const secret of [
      SECRET,
      OTHER,
      "Zq8!previous-one",
      "Xy7-a-wrong-token-Xy7",
      "Wv6-beside-a-bad-type",
    ]) {
      for (let start = 0; start + 6 <= secret.length; start += 1) {
        expect(hub.output()).not.toContain(secret.slice(start, start + 6));
      }
    }
  });
});
