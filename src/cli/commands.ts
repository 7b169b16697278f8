import type { Command } from "./command.ts";
import { configCommand } from "./config.ts";
import { demoCommand } from "./demo.ts";
import { healthcheckCommand } from "./healthcheck.ts";
import { publishCommand } from "./publish.ts";
import { serveCommand } from "./serve.ts";
import { tailCommand } from "./tail.ts";
import { versionCommand } from "./version.ts";
import { workerSendCommand } from "./worker-send.ts";
import { workerStatusCommand } from "./worker-status.ts";

/** Every command, in the order of the help. The first is what runs where none is named. */
export const COMMANDS: readonly [Command, ...Command[]] = [
  serveCommand,
  healthcheckCommand,
  tailCommand,
  publishCommand,
  workerStatusCommand,
  workerSendCommand,
  demoCommand,
  configCommand,
  versionCommand,
];
