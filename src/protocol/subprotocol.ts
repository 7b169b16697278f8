/** The subprotocol of stream framing (PROTOCOL.md, section 3). */
export const STREAM_SUBPROTOCOL = "vectra.stream.v1";
