import { SECRET } from "../../support/hub.ts";
import type { Random } from "../../support/random.ts";
import { oneIn, several } from "./bytes.ts";

// Request targets: paths and queries as no client library would send them (RFC 3986; RFC 9112, section 3.2).

/** Stands for the epoch of the hub's cursors, which no seed can know; the same length, so that nothing moves. */
export const EPOCH = "@epoch@@";

const PATHS = [
  "/",
  "/ws",
  "/api/v1/ws",
  "/api/v1/publish",
  "/api/v1/worker/messages",
  "/api/v1/worker/messages/x",
  "/api/v1/worker",
  "/api/v1/events",
  "/api/v1/stats",
  "/healthz",
  "/readyz",
  "/metrics",
  "/openapi.json",
  "/asyncapi.json",
  "/favicon.ico",
  "*",
] as const;
const PARTS = [
  "%",
  "%2",
  "%zz",
  "%00",
  "%2f",
  "%2e%2e",
  "%c3%28",
  "%e2%80%a8",
  "%0d%0aX:%20y",
  "..",
  ".",
  "//",
  "\\",
  ";a=b",
  "#f",
  "?",
  "é",
  "\u{1f40d}",
  "%25%25",
  "a".repeat(3_000),
  ":id",
  "*",
  "%20",
  "+",
  "{}",
  "^`|<>",
  "\t",
  "\u0001",
] as const;

/** A path with odd parts in it, and sometimes a query. */
export function target(random: Random): string {
  let path: string = random.pick(PATHS);
  for (let left = random.below(3); left > 0; left -= 1) {
    const at = random.below(path.length + 1);
    path = `${path.slice(0, at)}${random.pick(PARTS)}${path.slice(at)}`;
  }
  if (oneIn(random, 12))
    path = random.pick([
      `http://hub${path}`,
      `//hub${path}`,
      `http://[${path}`,
      `ws://a@b:x${path}`,
      path.slice(1),
    ]);
  return oneIn(random, 2) ? `${path}?${webSocketQuery(random)}` : path;
}

const TYPE_NAMES = [
  "DOC_UPDATE",
  "A",
  "WORKER_STATUS",
  "x:y.z-1",
  "",
  " ",
  "é",
  "%00",
  "a".repeat(64),
  "a".repeat(65),
  "*",
  "__proto__",
  "%2C",
  "A%",
  "+",
] as const;

/** The value of `types` (PROTOCOL.md, section 2). */
export function types(random: Random): string {
  if (oneIn(random, 10))
    return Array.from({ length: random.pick([32, 33, 500]) }, (_, at) => `T${at}`).join(",");
  return several(random, 0, 4, () => random.pick(TYPE_NAMES)).join(random.pick([",", ",", ",,", "%2C", ";"]));
}

/** A cursor or what looks like one (section 0). */
export function cursor(random: Random): string {
  return random.pick([
    "earliest",
    "EARLIEST",
    "",
    `${EPOCH}-0`,
    `${EPOCH}-1`,
    `${EPOCH}-${random.below(5_000)}`,
    `${EPOCH}-999999999999999`,
    `${EPOCH}-9999999999999999`,
    `${EPOCH}--1`,
    `${EPOCH}-1e3`,
    `${EPOCH}-01`,
    `${EPOCH}-`,
    "00000000-0",
    "ffffffff-7",
    "x",
    "a".repeat(64),
    "a".repeat(65),
    "-",
    "0",
    "1783-0",
    "%00",
    "%0d%0adata:%20x",
    "é",
    "\ud800",
  ]);
}

const TOKENS = ["", SECRET, `${SECRET}x`, "%", "a".repeat(2_000)] as const;
const NAMES = [
  "types",
  "since",
  "client_type",
  "token",
  "if_offline",
  "type",
  "",
  "__proto__",
  "TYPES",
  "types[]",
  "%74ypes",
] as const;

/** A query of known and unknown parameters, some of them twice. */
export function webSocketQuery(random: Random): string {
  const parameter = (): string => {
    switch (random.below(8)) {
      case 0:
      case 1:
        return `types=${types(random)}`;
      case 2:
      case 3:
        return `since=${cursor(random)}`;
      case 4:
        return `client_type=${random.pick(["client", "worker", "Worker", "", "admin", "%00", "client&client_type=worker"])}`;
      case 5:
        return `token=${random.pick(TOKENS)}`;
      case 6:
        return `${random.pick(NAMES)}${random.pick(["=", "", "=="])}${random.pick(PARTS)}`;
      default:
        return random.pick(["&", "&&", "=", "a=b=c", "?", "/", "if_offline=reject", "if_offline=maybe"]);
    }
  };
  return several(random, 0, 3, parameter).join("&");
}
