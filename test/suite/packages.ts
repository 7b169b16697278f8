/**
 * What the tests use beside Bun, as Debian packages. A developer's machine may lack some: then the tests that need them
 * say so and are skipped. In CI nothing may be skipped, so what is missing is installed first.
 */
const DEBIAN_PACKAGES = [
  "python3-websockets", // the worker of test/wire that connects as Vectra's Python worker does
  "curl", // the README's examples
  "prometheus", // its promtool, which reads /metrics as Prometheus does
  "redis-server", // what several hubs share
  "nginx", // the proxy of the README, in front of the hub
  "buildah", // builds the container image, without a daemon
  "bubblewrap", // starts it
  "chromium", // the console and the client library, as a browser runs them
  "nodejs", // the client library in Node; the servers that the benchmarks compare with
  "libnginx-mod-nchan", // what the benchmarks compare with: that their generator speaks with it is tested
];

/** Installs the packages that are missing. Returns what went wrong, or nothing. */
export function installPackages(): string | undefined {
  if (Bun.which("apt-get") === null) return "there is no apt-get to install what the tests need";
  const missing = DEBIAN_PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  console.log(`Installing ${missing.join(" ")}`);
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const aptGet = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
  for (const step of [["update"], ["install", "-y", "--no-install-recommends", ...missing]]) {
    const { exitCode } = Bun.spawnSync([...aptGet, ...step], { stdio: ["ignore", "inherit", "inherit"] });
    if (exitCode !== 0) return `apt-get ${step.join(" ")} ended with exit code ${exitCode}`;
  }
  return undefined;
}

function isInstalled(name: string): boolean {
  const { stdout } = Bun.spawnSync(["dpkg-query", "--status", name], { stderr: "ignore" });
  return stdout.toString().includes("\nStatus: install ok installed\n");
}
