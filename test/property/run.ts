import { within } from "../support/deadline.ts";
import type { Hub } from "../support/hub.ts";
import { publish } from "../support/publish.ts";
import type { Random } from "../support/random.ts";
import { MARK, TYPES } from "./messages.ts";
import type { Receiver } from "./receiver.ts";
import {
  type Acknowledged,
  checkAcknowledged,
  joinRawSource,
  joinStreamSource,
  publishOverHttp,
  type Source,
  type Texts,
} from "./sources.ts";
import type { Witness } from "./witness.ts";

/** What outlives a run of the hub. */
export interface Cast {
  readonly random: Random;
  readonly texts: Texts;
  readonly witness: Witness;
  readonly receivers: readonly Receiver[];
  /** What publishers were promised, until it is checked. */
  readonly acknowledged: Acknowledged[];
  readonly sources: Source[];
  /** A fault that showed outside of the steps. */
  readonly onFault: (fault: unknown) => void;
}

/** One run of the hub, from its start to its end. */
export interface Run {
  /** Does one thing at random, mostly without waiting for it. */
  step(): Promise<void>;
  /** Publishes something on every way at once, and waits for none of it. */
  burst(): void;
  /** Waits until everything published so far has come to everybody, and checks what everybody has. */
  fence(): Promise<void>;
  /** The hub has ended: resolves when all that hung on it has noticed. */
  over(): Promise<void>;
}

const BATCH_LIMIT_MESSAGES = 8;
const IN_FLIGHT_LIMIT = 12;

export function startRun(hub: Hub, name: string, cast: Cast): Run {
  const { random, texts, witness, receivers, acknowledged, onFault } = cast;
  const inFlight = new Set<Promise<void>>();
  const places: (Source | undefined)[] = [undefined, undefined, undefined];
  let names = 0;

  const publishOnce = (batch: readonly string[], key: string | undefined): void => {
    const answer = publishOverHttp(hub, batch, key)
      .then((one) => void (one && acknowledged.push(one)))
      .catch(onFault)
      .finally(() => inFlight.delete(answer));
    inFlight.add(answer);
  };
  const publishSome = (): void => {
    const count = random.pick([1, 1, 1 + random.below(BATCH_LIMIT_MESSAGES)]);
    const batch = Array.from({ length: count }, () => texts.make("http", random.pick(TYPES)));
    const key = random.below(4) === 0 ? `${name}-${texts.nextOp()}` : undefined;
    publishOnce(batch, key);
    // The same again under the same key changes nothing.
    if (key !== undefined) publishOnce(batch, key);
  };
  const publishFrom = (source: Source | undefined): void => {
    for (let count = random.below(BATCH_LIMIT_MESSAGES); count >= 0; count--)
      source?.publish(random.pick(TYPES));
  };
  const changePlace = async (at: number): Promise<void> => {
    const source = places[at];
    places[at] = undefined;
    if (source !== undefined) {
      await source.leave(random.below(2) === 0);
      return;
    }
    const join = at === 0 ? joinRawSource : joinStreamSource;
    const joined = await join(hub, `${name}-${names++}`, texts);
    places[at] = joined;
    cast.sources.push(joined);
  };
  const moveReceiver = (receiver: Receiver): void => {
    if (receiver.isConnected()) receiver.drop();
    else receiver.connect(hub.url, witness.line);
  };

  /** Once the hub has noticed all that went, its nodes' receipts count exactly those that are there. */
  const countReceivers = async (): Promise<void> => {
    const connected = receivers.filter((receiver) => receiver.isConnected());
    const sse = connected.filter(({ isSse }) => isSse).length;
    const expected = JSON.stringify({ websocket: 1 + connected.length - sse, sse });
    let counted = "";
    const asking = async (): Promise<void> => {
      while (counted !== expected) {
        const sum = { websocket: 0, sse: 0 };
        for (const url of hub.nodes) {
          const { receivers } = await publish({ ...hub, url }, texts.make("count", MARK));
          sum.websocket += receivers.websocket;
          sum.sse += receivers.sse;
        }
        counted = JSON.stringify(sum);
      }
    };
    await within(asking(), `receivers ${expected}`).catch((error) => {
      throw new Error(`${error}: ${counted}`);
    });
  };

  return {
    async step() {
      const chance = random.below(100);
      const at = random.below(places.length);
      if (chance < 25) publishSome();
      else if (chance < 50) await (places[at] === undefined ? changePlace(at) : publishFrom(places[at]));
      else if (chance < 54) await changePlace(at);
      else if (chance < 56) places[at]?.register({ n: texts.nextOp() });
      else if (chance < 85) moveReceiver(receivers[random.below(receivers.length)] as Receiver);
      else await new Promise((resolve) => setImmediate(resolve));
      if (inFlight.size >= IN_FLIGHT_LIMIT) await Promise.race(inFlight);
    },
    burst() {
      publishSome();
      for (const source of places) publishFrom(source);
    },
    async fence() {
      await Promise.all(inFlight);
      for (const source of places) await source?.settle();
      await Promise.all(receivers.map((receiver) => receiver.joined()));
      const mark = texts.make("fence", MARK);
      const [id = ""] = (await publish(hub, mark)).ids;
      await witness.seen(id);
      await Promise.all(receivers.map((receiver) => receiver.reached(mark)));
      const { line } = witness;
      for (const one of acknowledged.splice(0)) checkAcknowledged(one, line);
      for (const source of cast.sources) source.check(line);
      for (const receiver of receivers) receiver.check(line, { text: mark, position: line.positionOf(id) });
      await countReceivers();
    },
    async over() {
      await Promise.all([...inFlight, witness.ended(), ...receivers.map((receiver) => receiver.ended())]);
      for (const source of places) await source?.leave(false);
    },
  };
}
