import { settingsHelp } from "../config/render.ts";
import { VERSION } from "../version.ts";

/** The answer to `--help`. */
export function help(): string {
  return `vectra-hub ${VERSION}: a WebSocket hub between one worker and many dashboards

Usage: vectra-hub [COMMAND] [--FLAG VALUE ...]

Commands:
  serve    run the hub (the default)
  config   print the effective settings, secrets redacted
  version  print version and commit (also --version)
  help     print this page (also --help)

Settings, as flags or from the environment (a flag wins):
${settingsHelp()}

Exit codes: 0 stopped as asked, 1 the hub could not start, 2 a mistake in the command line or the settings.
`;
}
