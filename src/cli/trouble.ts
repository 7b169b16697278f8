import { printable } from "./terminal.ts";

/** What a network error means to a person, and what to do about it. */
export interface Trouble {
  readonly why: string;
  readonly repair: string;
}

const START = "start the hub, or say with --url where it is";
const CERTIFICATE = "set NODE_EXTRA_CA_CERTS to a file with the certificate of its authority";

const TROUBLES: Readonly<Record<string, Trouble>> = {
  ECONNREFUSED: { why: "nothing listens there", repair: START },
  ENOENT: { why: "there is no such socket", repair: START },
  ENOTFOUND: { why: "the name is not known", repair: "check the address" },
  EAI_AGAIN: { why: "the name cannot be looked up now", repair: "check the address and the network" },
  EHOSTUNREACH: { why: "no way leads there", repair: "check the address and the network" },
  ENETUNREACH: { why: "no way leads there", repair: "check the address and the network" },
  EACCES: { why: "this user may not", repair: "run it as a user who may" },
  ECONNRESET: { why: "it closed the connection", repair: "check http:// or https://, and the hub's log" },
  EPROTO: { why: "it does not speak TLS", repair: "check http:// or https://" },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: "its certificate is for another name",
    repair: "use the name that is in the certificate",
  },
  CERT_HAS_EXPIRED: { why: "its certificate has expired", repair: "renew it" },
  DEPTH_ZERO_SELF_SIGNED_CERT: { why: "its certificate is self-signed", repair: CERTIFICATE },
  SELF_SIGNED_CERT_IN_CHAIN: { why: "its certificate is not trusted here", repair: CERTIFICATE },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { why: "its certificate is not trusted here", repair: CERTIFICATE },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { why: "its certificate is not trusted here", repair: CERTIFICATE },
};

/** What a failed try to reach a hub means. */
export function troubleOf(error: { readonly code: string | undefined; readonly message: string }): Trouble {
  const known = error.code === undefined ? undefined : TROUBLES[error.code];
  if (known !== undefined) return { ...known, why: `${known.why} (${error.code})` };
  return { why: printable(error.message), repair: START };
}

/** The same as one clause. */
export function whyAndRepair({ why, repair }: Trouble): string {
  return `${why}: ${repair}`;
}

/** What an HTTP status means where a WebSocket was asked for. */
export function handshakeTrouble(status: number, path: string): string {
  if (status === 404) return `it answers 404 to ${path}: check the address, and WS_PATHS`;
  if (status === 426) return "it answers 426: a proxy before the hub has to pass the Upgrade header on";
  if (status === 429)
    return "it answers 429: too many wrong secrets came from this address, so wait a minute";
  if (status === 401 || status === 403) return `it answers ${status}: this client is not let in`;
  if (status >= 500) return `it answers ${status}: the hub is not ready, so try again later`;
  return `it answers ${status} to ${path}, which is no hub's answer: check the address`;
}
