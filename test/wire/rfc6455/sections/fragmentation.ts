import type { Case, Section } from "../support/case.ts";
import { exchange } from "../support/exchange.ts";
import {
  binary,
  close,
  first,
  fragments,
  last,
  middle,
  objectOf,
  ping,
  pongFrame,
  text,
} from "../support/frames.ts";
import { delivered, pong, TEXT_PONG } from "../support/outcome.ts";

const MESSAGE = '{"type":"DOC_UPDATE","id":"b7a1","n":9223372036854775807}';
const LIMIT_BYTES = 1_048_576;

const counts: Case[] = [1, 2, 3, 4, 10, MESSAGE.length, 100, 1000].flatMap((count) =>
  (["together", "bytes"] as const)
    .filter((pacing) => count <= 100 || pacing === "together")
    .map((pacing) =>
      exchange({
        title: `a message in ${count} fragments, ${pacing === "bytes" ? "byte by byte" : "at once"}`,
        as: "worker",
        send: fragments(MESSAGE, count),
        pacing,
        expected: ["open", delivered(MESSAGE)],
      }),
    ),
);

const empties: Case[] = Object.entries({
  "an empty first fragment": [first(), last("ping")],
  "an empty last fragment": [first("ping"), last()],
  "an empty fragment between": [first("pi"), middle(), last("ng")],
  "a hundred empty fragments between": [
    first("pi"),
    ...Array.from({ length: 100 }, () => middle()),
    last("ng"),
  ],
  "all but the middle empty": [first(), middle("ping"), last()],
}).map(([title, send]) => exchange({ title, send, expected: [TEXT_PONG, "open"] }));

const nothing: Case[] = Object.entries({
  "an empty message in two fragments": [first(), last()],
  "an empty message in three fragments": [first(), middle(), last()],
}).map(([title, send]) => exchange({ title, send: [...send, text("ping")], expected: [TEXT_PONG, "open"] }));

const PROTOCOL_ERROR = ["close 1002", "end"];
const wrong: Case[] = [
  { title: "a last fragment of nothing", send: [last("ping")], expected: PROTOCOL_ERROR },
  { title: "an empty last fragment of nothing", send: [last()], expected: PROTOCOL_ERROR },
  { title: "a fragment between of nothing", send: [middle("ping")], expected: PROTOCOL_ERROR },
  {
    title: "a continuation behind a whole message",
    send: [text("ping"), last("ping")],
    expected: [TEXT_PONG, ...PROTOCOL_ERROR],
  },
  {
    title: "a continuation behind a message in fragments",
    send: [first("pi"), last("ng"), last("ping")],
    expected: [TEXT_PONG, ...PROTOCOL_ERROR],
  },
  {
    title: "a continuation behind a ping",
    send: [ping("a"), last("ping")],
    expected: [pong("a"), ...PROTOCOL_ERROR],
  },
  { title: "a text inside a text", send: [first("pi"), text("ping")], expected: PROTOCOL_ERROR },
  { title: "an empty text inside a text", send: [first("pi"), text()], expected: PROTOCOL_ERROR },
  {
    title: "a text inside an empty start of a text",
    send: [first(), text("ping")],
    expected: PROTOCOL_ERROR,
  },
  { title: "a second start of a text", send: [first("pi"), first("ng")], expected: PROTOCOL_ERROR },
  {
    title: "a text behind two fragments",
    send: [first("p"), middle("i"), text("ng")],
    expected: PROTOCOL_ERROR,
  },
  { title: "a binary inside a text", send: [first("pi"), binary("ng")], expected: PROTOCOL_ERROR },
  {
    title: "the start of a binary inside a text",
    send: [first("pi"), binary("ng", { fin: false })],
    expected: PROTOCOL_ERROR,
  },
  {
    title: "a text inside a binary",
    send: [binary("pi", { fin: false }), text("ping")],
    expected: PROTOCOL_ERROR,
  },
].flatMap((spec) =>
  (["client", "worker"] as const).map((as) =>
    exchange({ ...spec, title: `${spec.title}, from a ${as}`, as }),
  ),
);

const between: Case[] = [
  {
    title: "a ping between two fragments",
    send: [first("pi"), ping("a"), last("ng")],
    expected: [pong("a"), TEXT_PONG, "open"],
  },
  {
    title: "an empty ping between two fragments",
    send: [first("pi"), ping(), last("ng")],
    expected: [pong(), TEXT_PONG, "open"],
  },
  {
    title: "a ping of 125 bytes between two fragments",
    send: [first("pi"), ping("p".repeat(125)), last("ng")],
    expected: [pong("p".repeat(125)), TEXT_PONG, "open"],
  },
  {
    title: "a ping that says ping, whose payload is no part of the message",
    send: [first(), ping("ping"), last()],
    expected: [pong("ping"), "open"],
  },
  {
    title: "a pong between two fragments",
    send: [first("pi"), pongFrame("a"), last("ng")],
    expected: [TEXT_PONG, "open"],
  },
  {
    title: "pings between each of four fragments",
    send: [first("p"), ping("1"), middle("i"), ping("2"), middle("n"), ping("3"), last("g")],
    expected: [pong("1"), pong("2"), pong("3"), TEXT_PONG, "open"],
  },
  {
    title: "pings, pongs and empty fragments between",
    send: [first(), ping("1"), middle("pi"), pongFrame("x"), middle(), ping("2"), ping("3"), last("ng")],
    expected: [pong("1"), pong("2"), pong("3"), TEXT_PONG, "open"],
  },
  {
    title: "a ping behind a first fragment is answered before the message ends",
    send: [first("pi"), ping("early")],
    expected: [pong("early"), "open"],
  },
  {
    title: "a close between two fragments",
    send: [first("pi"), close(1000), last("ng")],
    expected: ["close 1000", "end"],
  },
  {
    title: "a ping and a close behind a first fragment",
    send: [first("pi"), ping("1"), close(1000)],
    expected: [pong("1"), "close 1000", "end"],
  },
  {
    title: "two messages in fragments, one behind the other",
    send: [first("pi"), last("ng"), first("pin"), last("g")],
    expected: [TEXT_PONG, TEXT_PONG, "open"],
  },
].flatMap(({ title, ...spec }) => [
  exchange({ ...spec, title: `${title}, at once` }),
  exchange({ ...spec, title: `${title}, byte by byte`, pacing: "bytes" }),
]);

const binaries: Case[] = [
  { title: "a binary in fragments", send: [binary("{", { fin: false }), last("}")] },
  { title: "an empty binary in fragments", send: [binary("", { fin: false }), last()] },
  {
    title: "a binary in fragments, a ping between",
    send: [binary("{", { fin: false }), pongFrame(), last("}")],
  },
  { title: "a whole binary, which the hub does not take", send: [binary("{}")] },
].map((spec) => exchange({ ...spec, as: "worker", expected: ["close 1003 text frames only", "end"] }));

const atLimit = objectOf(LIMIT_BYTES);
const limits: Case[] = [
  exchange({
    title: "fragments that are MAX_MESSAGE_BYTES together",
    as: "worker",
    send: fragments(atLimit, 16),
    expected: ["open", delivered(atLimit)],
  }),
  exchange({
    title: "fragments that are one byte more together",
    as: "worker",
    send: fragments(objectOf(LIMIT_BYTES + 1), 16),
    expected: ["close 1009", "end"],
  }),
  exchange({
    title: "a last fragment of one byte too many",
    as: "worker",
    send: [first("x".repeat(LIMIT_BYTES)), last("x")],
    expected: ["close 1009", "end"],
  }),
  exchange({
    title: "empty fragments behind MAX_MESSAGE_BYTES",
    as: "worker",
    send: [first(atLimit), middle(), last()],
    expected: ["open", delivered(atLimit)],
  }),
];

export const FRAGMENTATION: Section = {
  section: "5.4",
  title: "Fragmentation",
  cases: [...counts, ...empties, ...nothing, ...wrong, ...between, ...binaries, ...limits],
};
