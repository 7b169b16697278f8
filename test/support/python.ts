const CANDIDATES = ["/usr/bin/python3", "python3"];

/** A Python that has the `websockets` package; Debian's own first, since a newer Python beside it often has not. */
export const PYTHON = CANDIDATES.find((command) => {
  const path = Bun.which(command);
  return path !== null && Bun.spawnSync([path, "-c", "import websockets"]).exitCode === 0;
});

export const PYTHON_NEEDS = "python3 with the websockets package (Debian: python3-websockets)";

/** The major version of its `websockets`; 0 without one. */
export function websocketsVersion(): number {
  if (PYTHON === undefined) return 0;
  const { stdout } = Bun.spawnSync([PYTHON, "-c", "import websockets; print(websockets.__version__)"]);
  return Number.parseInt(stdout.toString(), 10);
}
