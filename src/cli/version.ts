import { COMMIT, VERSION } from "../version.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./terminal.ts";

export const versionCommand = defineCommand({
  name: "version",
  summary: "print version and commit (also --version)",
  synopsis: "",
  details: "Prints one line: the name, the version, and the commit it was built from.",
  flags: {},
  environment: [],
  exitCodes: [[0, "always"]],
  execute(_, __, { stdout }) {
    stdout.write(`vectra-hub ${VERSION} (${COMMIT})\n`);
    return EXIT.done;
  },
});
