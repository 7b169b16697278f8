import { statSync } from "node:fs";
import type { Folder } from "../support/folder.ts";
import { SECRET } from "../support/hub.ts";
import { STREAM } from "../support/streamframe.ts";
import { publish, untilAnswered } from "./call.ts";
import { createCommandLedger } from "./commands.ts";
import type { HubProcess } from "./hub-process.ts";
import { createLine } from "./line.ts";
import { createMessages, TYPES } from "./messages.ts";
import { readProcess } from "./process.ts";
import { createReceipts } from "./receipts.ts";
import { about, pause, repeat, type Scene } from "./scene.ts";
import { RESTARTED_KEPT } from "./settings.ts";
import { startWitnesses } from "./witnesses.ts";

/** One life of the hub that is restarted, as it was at its end, always at the same age. */
export interface Life {
  /** Since the start of the soak. */
  readonly endS: number;
  readonly startMs: number;
  readonly memoryMb: number;
  readonly sockets: number;
  readonly fileMb: number;
}

export interface RestartsOptions {
  readonly hub: HubProcess;
  readonly scene: Scene;
  readonly folder: Folder;
  readonly lifeS: number;
  readonly elapsedS: () => number;
}

export const HISTORY_FILE = "history.db";
const ROAMERS = 10;
const COMMANDS_SETTLE_MS = 60_000;

/**
 * A second hub, with its history in a file, that is stopped or killed and started again all the time. Each life is as
 * long as the others, so that its memory at its end can be compared with theirs. Whatever was acknowledged, in whichever
 * life, its witnesses see once and in order, and every command arrives.
 */
export async function runRestarts(options: RestartsOptions): Promise<readonly Life[]> {
  const { hub, scene, folder, lifeS, elapsedS } = options;
  const line = createLine();
  const receipts = createReceipts(line, scene.fault);
  const commands = createCommandLedger({ scene, meanPauseMs: 700, mustArrive: true });
  const lives: Life[] = [];
  const settled = new AbortController();
  let startMs = await hub.start();

  const seen = new AbortController();
  const watching = { ...scene, over: seen.signal };
  const witnesses = await startWitnesses({
    scene: watching,
    line,
    receipts,
    kept: RESTARTED_KEPT,
    isRestarted: true,
    roamers: ROAMERS,
  });
  const worker = runWorker({ ...scene, over: settled.signal }, commands.received);

  const live = async (): Promise<void> => {
    while (!scene.over.aborted) {
      await pause(scene, lifeS * 1_000);
      if (scene.over.aborted) return;
      lives.push(describeLife(hub, folder, startMs, elapsedS()));
      const signal = scene.random.below(2) === 0 ? "SIGTERM" : "SIGKILL";
      const exitCode = await hub.end(signal);
      if (signal === "SIGTERM" && exitCode !== 0) scene.fault(`after SIGTERM the hub ended with ${exitCode}`);
      scene.count(`restarts after ${signal}`);
      startMs = await hub.start();
    }
  };
  const make = createMessages("lasting", scene.random);
  let keys = 0;
  const publishSome = async (): Promise<void> => {
    const texts = Array.from({ length: 1 + scene.random.below(20) }, () =>
      make(scene.random.pick([...TYPES])),
    );
    const key = `lasting-${keys++}`;
    const ids = await untilAnswered(() => publish(scene, texts, { key }));
    for (const [at, id] of (ids ?? []).entries()) receipts.promise(id, texts[at] ?? "");
  };
  await Promise.all([
    live(),
    commands.run(),
    repeat(scene, "publish to the restarted hub", () => about(scene.random, 300), publishSome),
  ]);
  await receipts.settled();
  seen.abort();
  await witnesses.gone;
  scene.count("messages acknowledged over restarts and seen", receipts.kept());
  await commands
    .settle(COMMANDS_SETTLE_MS)
    .catch((error) => scene.fault(`the restarted hub: ${error.message}`));
  settled.abort();
  await worker;
  return lives;
}

/** A worker that comes back whenever the hub does, and acknowledges everything. */
async function runWorker(scene: Scene, received: (n: number) => void): Promise<void> {
  while (!scene.over.aborted) {
    const socket = new WebSocket(`${scene.url.replace("http:", "ws:")}/ws?client_type=worker`, {
      headers: { "x-worker-secret": SECRET },
      protocols: [STREAM],
    });
    const closed = Promise.withResolvers<void>();
    socket.onopen = () => socket.send('{"type":"register","metadata":{}}');
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data));
      if (frame.type !== "command") return;
      received(frame.data.n);
      socket.send(JSON.stringify({ type: "ack", id: frame.id }));
    };
    socket.onclose = () => closed.resolve();
    const leave = (): void => socket.close(1000);
    scene.over.addEventListener("abort", leave);
    await closed.promise;
    scene.over.removeEventListener("abort", leave);
    await pause(scene, about(scene.random, 300));
  }
}

function describeLife(hub: HubProcess, folder: Folder, startMs: number, endS: number): Life {
  const { memoryMb, sockets } = readProcess(hub.pid());
  const fileMb =
    ["", "-wal"].reduce((sum, end) => sum + sizeOf(folder.file(HISTORY_FILE + end)), 0) / 1_000_000;
  return { endS, startMs, memoryMb, sockets, fileMb };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
