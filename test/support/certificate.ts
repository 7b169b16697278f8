import { generateKeyPairSync, sign } from "node:crypto";

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const TAG = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  time: 0x18,
};
const OID = { ecdsaWithSha256: "2a8648ce3d040302", commonName: "550403", subjectAltName: "551d11" };

/**
 * Makes a self-signed certificate (RFC 5280), good for a hundred years.
 * @param host the name that it is for; `localhost` brings 127.0.0.1 along
 */
export function createCertificate(host = "localhost"): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(TAG.sequence, hex(TAG.oid, OID.ecdsaWithSha256));
  const commonName = der(TAG.sequence, hex(TAG.oid, OID.commonName), der(TAG.utf8, Buffer.from(host)));
  const name = der(TAG.sequence, der(TAG.set, commonName));
  const names = der(
    TAG.sequence,
    der(0x82, Buffer.from(host)),
    ...(host === "localhost" ? [der(0x87, Buffer.from([127, 0, 0, 1]))] : []),
  );
  const extension = der(TAG.sequence, hex(TAG.oid, OID.subjectAltName), der(TAG.octets, names));
  const validity = ["20200101000000Z", "21200101000000Z"].map((time) => der(TAG.time, Buffer.from(time)));
  const body = der(
    TAG.sequence,
    der(0xa0, hex(TAG.integer, "02")),
    der(TAG.integer, Buffer.from([1]), Buffer.from(crypto.getRandomValues(new Uint8Array(8)))),
    algorithm,
    name,
    der(TAG.sequence, ...validity),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(TAG.sequence, extension)),
  );
  const signature = der(TAG.bits, Buffer.from([0]), sign("sha256", body, privateKey));
  const base64 = der(TAG.sequence, body, algorithm, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g)?.join("\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** One element of ASN.1 in DER (X.690, section 8.1): tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  const length =
    bytes.length < 0x80
      ? [bytes.length]
      : bytes.length < 0x100
        ? [0x81, bytes.length]
        : [0x82, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

function hex(tag: number, content: string): Buffer {
  return der(tag, Buffer.from(content, "hex"));
}
