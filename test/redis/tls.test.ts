import { expect } from "bun:test";
import { createCertificate } from "../support/certificate.ts";
import { createFolder } from "../support/folder.ts";
import { lastingPort } from "../support/port.ts";
import { startRedis, testWithRedis as test } from "../support/redis.ts";
import { startNode } from "./node.ts";

// rediss://: the certificate is looked at; one of an authority of one's own comes by NODE_EXTRA_CA_CERTS.

const PROGRAM = `
  import { startNode } from "${import.meta.dir}/node.ts";
  await using node = await startNode(process.env["URL"] ?? "");
  const { ok } = await node.publish('{"n":1}');
  console.log(JSON.stringify({ ok, check: node.backplane.checks()["redis"] }));
`;

test("over TLS with a certificate that is trusted, and not with another", async () => {
  await using folder = await createFolder();
  const { cert, key } = createCertificate();
  const files = { cert: folder.file("cert.pem"), key: folder.file("key.pem") };
  await Bun.write(files.cert, cert);
  await Bun.write(files.key, key);
  const port = lastingPort();
  await using _ = await startRedis({
    args: [
      ...["--tls-port", String(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", files.cert],
      ...["--tls-cert-file", files.cert, "--tls-key-file", files.key],
    ],
  });
  const url = `rediss://localhost:${port}`;
  const fails = startNode(url, { REDIS_TIMEOUT_MS: "2000" });
  await expect(fails).rejects.toThrow(
    /TLS fails \(\w+\): is it rediss:\/\/, with a certificate that is trusted here\?/,
  );
  const program = folder.file("program.ts");
  await Bun.write(program, PROGRAM);
  const child = Bun.spawn([process.execPath, program], {
    env: { ...process.env, URL: url, NODE_EXTRA_CA_CERTS: files.cert },
    stdout: "pipe",
  });
  expect(JSON.parse(await child.stdout.text())).toEqual({ ok: true, check: { ok: true } });
  expect(await child.exited).toBe(0);
}, 20_000);
