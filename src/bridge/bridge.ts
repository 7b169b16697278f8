import type { Config } from "../config/schema.ts";
import { COMMAND_LIMIT_BYTES } from "../hub/commands.ts";
import type { Hub } from "../hub/hub.ts";
import type { Message } from "../hub/publisher.ts";
import type { Log } from "../observe/log.ts";
import type { Runtime } from "../runtime.ts";
import { addressFor, loggable } from "./address.ts";
import { openLink } from "./link.ts";
import { createUplink } from "./uplink.ts";

const SCOPE = "bridge";

export interface Bridge {
  /** A check of `/readyz`. The hub serves without the API, so it only warns. */
  check(): { readonly ok: boolean; readonly detail: string; readonly isWarning: true };
  /** Closes the connection to the API, for good. */
  stop(): void;
}

export interface BridgeOptions {
  readonly config: Config;
  readonly bridgeUrl: string;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly hub: Pick<Hub, "publisher" | "commands" | "workers">;
}

/** Connects an unmodified Vectra API process to the hub (PROTOCOL.md, section 7). */
export function startBridge({ config, bridgeUrl, runtime, log, hub }: BridgeOptions): Bridge {
  const { publisher, commands, workers } = hub;

  const publish = (message: Message): void => {
    const byteCount = Buffer.byteLength(message.text);
    if (byteCount > config.MAX_MESSAGE_BYTES) {
      log.warning?.("FAIL", SCOPE, "A message from the API is too large", { type: message.type, byteCount });
    } else {
      publisher.forward(message, "bridge");
    }
  };

  const trigger = (type: string, text: string): void => {
    if (Buffer.byteLength(text) > COMMAND_LIMIT_BYTES) {
      log.warning?.("FAIL", SCOPE, "A command from the API is too large", { type });
      return;
    }
    void commands.send(text, "reject").then((result) => {
      if (!result.ok)
        log.warning?.("FAIL", SCOPE, "A command from the API was dropped", { type, why: result.detail });
    });
  };

  log.info?.("CONNECT", SCOPE, "Connecting to the API", { url: loggable(bridgeUrl) });
  const uplink = createUplink({
    runtime,
    log,
    open: (role, events) =>
      openLink({ role, address: addressFor(role, bridgeUrl, config.WORKER_SECRET), config, runtime, events }),
    status: workers.status,
    publish: guarded(log, publish),
    trigger: guarded(log, trigger),
  });
  const unwatch = workers.watch(uplink.statusChanged);

  return {
    check: () => ({ ...uplink.state(), isWarning: true }),
    stop() {
      unwatch();
      uplink.stop();
    },
  };
}

/** An exception in a handler of a WebSocket that the hub itself has opened would end the process. */
function guarded<Args extends unknown[]>(log: Log, run: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      run(...args);
    } catch (error) {
      log.error?.("FAIL", SCOPE, "Unexpected error", {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  };
}
