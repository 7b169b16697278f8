import { createCertificate } from "./certificate.ts";
import type { Folder } from "./folder.ts";

/** Writes a certificate that nobody has signed but itself, for the name hub.test, and its key into a folder. */
export async function writeSelfSigned(
  folder: Folder,
): Promise<{ readonly cert: string; readonly key: string }> {
  const files = { cert: folder.file("cert.pem"), key: folder.file("key.pem") };
  const { cert, key } = createCertificate("hub.test");
  await Bun.write(files.cert, cert);
  await Bun.write(files.key, key);
  return files;
}
