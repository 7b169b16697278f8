import type { Server } from "bun";
import { forwardAuthOf } from "../../auth/forward.ts";
import { secretChecks } from "../../auth/secret.ts";
import type { Backplane, Figures } from "../../backplane/backplane.ts";
import { type Bridge, startBridge } from "../../bridge/bridge.ts";
import type { Config } from "../../config/schema.ts";
import { createGuard } from "../../edge/guard.ts";
import { createHealth } from "../../edge/health.ts";
import { ListenError, listenTcp, urlOf } from "../../edge/listener.ts";
import { createOps } from "../../edge/ops.ts";
import { createOpsRoutes } from "../../edge/routes.ts";
import { createCommands } from "../../hub/commands.ts";
import type { Connection } from "../../hub/connection.ts";
import { createPublisher } from "../../hub/publisher.ts";
import { createWorkers } from "../../hub/workers.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Runtime } from "../../runtime.ts";
import { pageAnswerOf } from "../edge/operators.ts";
import type { OperatorPage, ToCore } from "../wire/to-core.ts";
import { createBroker } from "./broker.ts";
import { CANARY_THREAD, createCensus, registerThreadGauges } from "./census.ts";
import { createCrew, ThreadError } from "./crew.ts";
import { createEntrance } from "./entrance.ts";
import { createGate } from "./gate.ts";
import { createIdentification } from "./identify.ts";
import { createMuster } from "./muster.ts";
import type { Seat } from "./seat.ts";

/** What an edge may take for its goodbyes beyond the time that they are spread over. */
const ORDER_LIMIT_MS = 10_000;

export interface CoreOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly backplane: Backplane & Figures;
  /** How many edges. */
  readonly threads: number;
}

/**
 * Starts the hub with several threads: this one has what there is once, and edges on the same port have the connections.
 * To be called in the turn in which the backplane was made.
 * @returns an App (app.ts)
 * @throws {ListenError}
 */
export async function startCore({ config, runtime, log, metrics, backplane, threads }: CoreOptions) {
  let operators: Server<Connection> | undefined;
  let bridge: Bridge | undefined;
  let address = { host: config.HOST, port: config.PORT };
  const seats = new Set<Seat>();
  const gate = createGate(seats);
  const broker = createBroker({ backplane, seats, gate, runtime });
  const entrance = createEntrance(config, runtime, threads);
  const muster = createMuster(seats, metrics.registry, runtime);
  const census = createCensus(config, seats, muster);
  const { checkSecret, checkOperator } = secretChecks(config);
  const forwardAuth = forwardAuthOf(config, runtime, checkSecret);
  const identification = createIdentification(forwardAuth);
  // For the bridge, which is no connection of any edge.
  const workers = createWorkers(backplane, runtime);
  const publisher = createPublisher(config, { append: broker.append });
  const commands = createCommands(config, backplane);

  backplane.start({
    ...broker.events,
    status(status) {
      broker.events.status(status);
      workers.changed();
    },
  });
  const crew = createCrew({
    runtime,
    log,
    count: threads,
    seats,
    startOf: ({ thread, hotline }) => ({
      config: { ...config, CANARY_INTERVAL_MS: thread === CANARY_THREAD ? config.CANARY_INTERVAL_MS : 0 },
      ...address,
      thread,
      hotline,
      tally: entrance.tally,
      stream: broker.stream(),
    }),
    take(seat, op, texts) {
      if (!broker.take(seat, op, texts)) take(seat, op);
    },
    gone(seat) {
      entrance.freeAll(seat);
      identification.forget(seat);
      muster.forget(seat);
      broker.forget(seat);
    },
  });

  const ops = createOps({ config, runtime, census, backplane, metrics });
  registerThreadGauges(metrics.registry, seats, crew);
  const health = createHealth(backplane, census.canary, () => bridge?.check());
  const ready = async (): Promise<Response> => {
    if (census.canary !== undefined) await census.take();
    return await health.ready();
  };
  const pages: Record<OperatorPage, () => Response | Promise<Response>> = {
    metrics: ops.metrics,
    stats: ops.stats,
    ready,
  };

  const take = (seat: Seat, op: ToCore): void => {
    switch (op.op) {
      case "call":
        entrance.answer(seat, op);
        break;
      case "free":
        entrance.free(seat, op.address);
        break;
      case "identify":
        identification.identify(seat, op.id, op.credentials);
        break;
      case "giveUp":
        identification.giveUp(seat, op.question);
        break;
      case "report":
        muster.take(seat, op.report, op.id);
        break;
      case "page":
        void answerPage(seat, op.id, op.page);
        break;
      default:
        throw new Error(`nobody takes ${op.op}`);
    }
  };
  const answerPage = async ({ outbox }: Seat, id: number, page: OperatorPage): Promise<void> => {
    try {
      outbox.say({ op: "answer", id, value: await pageAnswerOf(await pages[page]()) });
    } catch (error) {
      outbox.say({ op: "failed", id, why: (error as Error).message });
    }
  };

  const stopParts = async (): Promise<void> => {
    crew.end();
    await operators?.stop(true);
    ops.stop();
    await backplane.close();
  };
  try {
    address = await findAddress(config, log);
    await crew.start();
    if (config.OPS_PORT !== undefined) {
      const guard = createGuard({ config, log, metrics, limits: entrance.limits, forwardAuth });
      const routes = createOpsRoutes({
        config,
        log,
        metrics,
        guard,
        health: { live: health.live, ready },
        ops,
        checkOperator,
      });
      operators = listenTcp({ config, log, routes }, config.OPS_HOST, config.OPS_PORT);
    }
  } catch (error) {
    await stopParts();
    throw error instanceof ThreadError && error.isListenError ? new ListenError(error.message) : error;
  }
  if (config.BRIDGE_URL !== undefined) {
    const hub = { publisher, commands, workers };
    bridge = startBridge({ config, bridgeUrl: config.BRIDGE_URL, runtime, log, hub });
  }

  return {
    url: urlOf(config, address.port),
    opsUrl: operators && urlOf({ HOST: config.OPS_HOST, tls: undefined }, operators.port),
    async stop() {
      health.stopping();
      if (config.DRAIN_DELAY_MS > 0) {
        await new Promise<void>((resolve) => runtime.after(config.DRAIN_DELAY_MS, resolve));
      }
      crew.unlisten();
      bridge?.stop();
      // As with one thread (app.ts): receipts first, then the clients of all edges, and the workers last.
      backplane.flush();
      await new Promise<void>((resolve) => runtime.soon(resolve));
      // Who has how many clients: so that all of them go at an even pace.
      await muster.gather();
      await crew.drain(config.DRAIN_TIMEOUT_MS, config.DRAIN_TIMEOUT_MS + ORDER_LIMIT_MS);
      backplane.farewell();
      await crew.stop(ORDER_LIMIT_MS);
      await stopParts();
    },
  };
}

/**
 * Listens alone, and stops at once: where the port is shared, nobody would notice that another process listens there.
 * @returns the address that the edges listen on
 * @throws {ListenError}
 */
async function findAddress(config: Config, log: Log): Promise<{ host: string; port: number }> {
  const probe = listenTcp({ config, log, routes: {} }, config.HOST, config.PORT, { tls: config.tls });
  const { hostname = config.HOST, port = config.PORT } = probe;
  await probe.stop(true);
  return { host: hostname, port };
}
