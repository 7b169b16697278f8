import { readSettings } from "./settings.ts";
import { EXIT, type Terminal } from "./terminal.ts";

/** The path that stands beside the rest of the API; proxies often pass on nothing else. */
const PREFERRED = "/api/v1/ws";

export const WS_PATH_ENVIRONMENT = ["WS_PATHS", "the hub's setting, where it has not its default"] as const;

/** Where the WebSocket is. @returns the exit code where WS_PATHS is malformed */
export function findWebSocketPath({ env, say }: Terminal): string | number {
  const read = readSettings(["WS_PATHS"], env);
  if (!read.ok) {
    for (const line of read.problems) say(line);
    return EXIT.usage;
  }
  const paths = read.settings.WS_PATHS;
  return paths.includes(PREFERRED) ? PREFERRED : (paths[0] ?? PREFERRED);
}
