import type { MortalHub } from "../../support/mortal-hub.ts";
import { createRandom, type Random } from "../../support/random.ts";
import type { CommandLedger } from "./command-ledger.ts";
import type { Ledger } from "./ledger.ts";

/** What all parties of one fault test share. */
export interface Run {
  /** Where to connect, and when. Asked anew each time: of several hubs, it names one after the other. */
  readonly hub: Pick<MortalHub, "url" | "up">;
  /** Whether hubs may refuse for a while what they are asked to publish. One that has all it needs may not. */
  readonly mayRefuse: boolean;
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
