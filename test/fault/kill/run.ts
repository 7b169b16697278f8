import type { MortalHub } from "../../support/mortal-hub.ts";
import { createRandom, type Random } from "../../support/random.ts";
import type { CommandLedger } from "./command-ledger.ts";
import type { Ledger } from "./ledger.ts";

/** What all parties of one fault test share. */
export interface Run {
  readonly hub: MortalHub;
  readonly ledger: Ledger;
  readonly commands: CommandLedger;
  /** A source of chance for one party alone, so that its decisions do not depend on the others' pace. */
  randomFor(party: string): Random;
  /** True once the last kill is done: whoever produces comes to an end, and nobody drops a connection any more. */
  isEnding(): boolean;
}

/** @param seed decides, with the party's name, everything that it leaves to chance */
export function randomOf(seed: number, party: string): Random {
  return createRandom(Number(BigInt.asUintN(32, BigInt(Bun.hash(`${seed} ${party}`)))));
}
