/** Lets in every origin, `null` included. */
export const ANY_ORIGIN = "*";
/** Lets in pages that come from the host and port that the request was sent to. */
export const SAME_ORIGIN = "same-origin";

const ORIGINS_MAX = 100;

export type ParsedOrigins =
  | { readonly ok: true; readonly origins: readonly string[] }
  | { readonly ok: false; readonly why: string };

/** What one entry of the list means. */
export type Rule =
  | { readonly kind: "any" }
  | { readonly kind: "same" }
  | { readonly kind: "exact"; readonly origin: string }
  /** Without a protocol, http and https both. The suffix starts with a dot; no port means the protocol's own. */
  | {
      readonly kind: "below";
      readonly protocol: string | undefined;
      readonly suffix: string;
      readonly port: string;
    };

type Read = Rule | { readonly kind: "wrong"; readonly why: string };

/**
 * Reads ALLOWED_ORIGINS: entries separated by commas, each one of
 * - `https://app.example.com:8443`: this origin; the port only where it is not the scheme's own
 * - `https://*.example.com`: every host below example.com, at any depth, but not example.com itself
 * - `*.example.com`: the same over http as well as https; with a port, on that port only
 * - `same-origin`: host and port that the request was sent to, and the scheme where it is known
 * - `*`, alone: all
 * @returns the entries in the spelling of browsers, or what is wrong, for a person
 */
export function parseOrigins(list: string): ParsedOrigins {
  const entries = list.split(",").map((entry) => entry.trim());
  if (entries.length > ORIGINS_MAX) return { ok: false, why: `holds more than ${ORIGINS_MAX} origins` };
  const origins = new Set<string>();
  for (const entry of entries) {
    const read = readRule(entry);
    if (read.kind === "wrong") return { ok: false, why: read.why };
    origins.add(printRule(read));
  }
  if (origins.has(ANY_ORIGIN) && origins.size > 1) {
    return { ok: false, why: `allows every origin with ${ANY_ORIGIN}, so the others would not count` };
  }
  return { ok: true, origins: [...origins] };
}

/** The origin as browsers write it (RFC 6454, section 6.2), or undefined where the text is none. */
export function normalOrigin(text: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\,%*]+$/i.test(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || /:$/.test(text)) return undefined;
  // Applications in a web view have schemes of their own, for which URL gives no origin.
  return isWeb(url.protocol) ? url.origin : text.toLowerCase();
}

export function isWeb(protocol: string): boolean {
  return protocol === "http:" || protocol === "https:";
}

/** Reads one entry, or says what is wrong with it. */
export function readRule(entry: string): Read {
  const wrong = (why: string): Read => ({ kind: "wrong", why: `${why}: ${JSON.stringify(entry)}` });
  if (entry === "") return { kind: "wrong", why: "holds an empty entry" };
  if (entry === ANY_ORIGIN) return { kind: "any" };
  if (entry === SAME_ORIGIN) return { kind: "same" };
  if (entry === "null")
    return wrong("names the origin null, which every sandboxed frame has; only * lets it in");
  if (/^wss?:/i.test(entry)) return wrong("names a WebSocket scheme, but pages have http or https");
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/]*\//i.test(entry)) return wrong("has a path, which no origin has");
  if (entry.includes("*")) return readWildcard(entry, wrong);
  const origin = normalOrigin(entry);
  if (origin !== undefined) return { kind: "exact", origin };
  return wrong(
    entry.includes("://") ? "holds what is no origin" : "lacks http:// or https:// in front of a host",
  );
}

function readWildcard(entry: string, wrong: (why: string) => Read): Read {
  const parts = entry.match(/^(?:(https?):\/\/)?\*((?:\.[^*.:]+)+(?::\d+)?)$/i);
  if (parts === null) return wrong("has a * elsewhere than in front of a host, as in https://*.example.com");
  const [, scheme, rest = ""] = parts;
  const protocol = scheme === undefined ? undefined : `${scheme.toLowerCase()}:`;
  // Read with each scheme it stands for, so that the scheme's own port is left out and any other is kept.
  const read = normalOrigin(`${protocol ?? "https:"}//x${rest}`);
  if (read === undefined) return wrong("holds what is no host");
  const { hostname, port } = new URL(read);
  const suffix = hostname.slice(1);
  if (!suffix.slice(1).includes(".") && suffix !== ".localhost") {
    return wrong("would let in everyone below a top-level domain");
  }
  if (protocol === undefined && /:(?:80|443)$/.test(rest)) {
    return wrong("has a port that belongs to one scheme; write the scheme in front or leave the port out");
  }
  return { kind: "below", protocol, suffix, port };
}

function printRule(rule: Rule): string {
  switch (rule.kind) {
    case "any":
      return ANY_ORIGIN;
    case "same":
      return SAME_ORIGIN;
    case "exact":
      return rule.origin;
    case "below": {
      const scheme = rule.protocol === undefined ? "" : `${rule.protocol}//`;
      const port = rule.port === "" ? "" : `:${rule.port}`;
      return `${scheme}*${rule.suffix}${port}`;
    }
  }
}
