import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Problem, Sources } from "./load.ts";
import type { Config, Settings } from "./schema.ts";

type FileSetting = "TLS_CERT_FILE" | "TLS_KEY_FILE";

/**
 * Reads TLS_CERT_FILE and TLS_KEY_FILE and checks that they belong together: OpenSSL's own words, when the hub comes to
 * listen, do not say which of the two is at fault.
 * @returns what the files hold; undefined where TLS is off, or where a problem was added
 */
export function readTls(sources: Sources, settings: Settings, problems: Problem[]): Config["tls"] {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = settings;
  if (certFile === undefined || keyFile === undefined) return undefined;

  const read = <Parsed>(key: FileSetting, file: string, what: string, parse: (pem: string) => Parsed) => {
    const add = (why: string, repair: string): undefined => {
      problems.push({ key, value: file, why, repair });
    };
    let pem: string;
    try {
      pem = sources.readFile(file);
    } catch (error) {
      return add(`cannot be read: ${messageOf(error)}`, "name a PEM file that the hub may read");
    }
    try {
      return { pem, parsed: parse(pem) };
    } catch (error) {
      return add(`holds no ${what}: ${messageOf(error)}`, `name a file with a ${what} in PEM`);
    }
  };

  const cert = read("TLS_CERT_FILE", certFile, "certificate", (pem) => new X509Certificate(pem));
  const key = read("TLS_KEY_FILE", keyFile, "private key without a passphrase", createPrivateKey);
  if (cert === undefined || key === undefined) return undefined;
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    problems.push({
      key: "TLS_KEY_FILE",
      value: keyFile,
      why: `is not the key of the certificate in ${certFile}`,
      repair: "name the key that the certificate was made for; the certificate itself comes first in a chain",
    });
    return undefined;
  }
  return { cert: cert.pem, key: key.pem };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
