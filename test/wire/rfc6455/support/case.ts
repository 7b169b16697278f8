import type { Stage } from "./stage.ts";

/**
 * What was seen on the wire, a line for each event: `pong 68656c6c6f`, `text pong`, `close 1002`, and then `open` (the
 * connection answers on) or `end` (the hub has ended it), and `delivered …` for each message that reached the witness.
 */
export type Outcome = readonly string[];

/** Where Bun does something else than the RFC demands: a known limit, listed in README.md with the case's number. */
export interface Deviation {
  readonly outcome: Outcome;
  readonly because: string;
}

export interface Case {
  readonly title: string;
  /** What the RFC demands; where it leaves a choice, what the hub has chosen. */
  readonly expected: Outcome;
  readonly deviation?: Deviation;
  /** Does it. `awaited` is what will be compared: an `end` in it is waited for, otherwise an answer to a ping is. */
  observe(stage: Stage, awaited: Outcome): Promise<Outcome>;
}

/** The cases of one section of the RFC. New ones go at the end: README.md names cases by their number. */
export interface Section {
  /** Of RFC 6455, e.g. `5.2`; `5.2-17` is the section's seventeenth case. */
  readonly section: string;
  readonly title: string;
  readonly cases: readonly Case[];
}

/** The case's number, e.g. `5.2-17`. */
export function numberOf(section: Section, index: number): string {
  return `${section.section}-${index + 1}`;
}

/** What the case must show. */
export function awaitedOutcome({ expected, deviation }: Case): Outcome {
  return deviation?.outcome ?? expected;
}
