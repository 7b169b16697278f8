import { chmod, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { within } from "./deadline.ts";
import { createFolder } from "./folder.ts";
import { type Finished, type Hub, type HubEnv, startHub } from "./hub.ts";

/** What a container runtime goes by: the `config` of an OCI image's configuration. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  /** Docker's own; an image in OCI's format has none. */
  readonly Healthcheck?: { readonly Test: readonly string[] };
}

/** The container image, taken out of its archive. */
export interface Image extends AsyncDisposable {
  /** The folder that becomes the root. */
  readonly root: string;
  readonly config: ImageConfig;
  /** The instructions that it was made with, as the builder noted them. */
  readonly history: readonly string[];
}

export interface ContainerOptions {
  readonly env?: HubEnv;
  /** What is mounted, by the path inside. */
  readonly mounts?: readonly {
    readonly from: string;
    readonly at: string;
    readonly isReadOnly?: boolean;
  }[];
}

const projectRoot = resolve(import.meta.dir, "../..");
const ARCHIVE = join(projectRoot, "dist/vectra-hub.oci.tar");

export const IMAGE_NEEDS =
  "podman or buildah (or docker with its engine), bubblewrap, and the right to use it";

/** Whether this machine can build an image, and run one. */
export function canRunImages(): boolean {
  const succeeds = (...command: string[]): boolean =>
    Bun.which(command[0] ?? "") !== null &&
    Bun.spawnSync(command, { stdio: ["ignore", "ignore", "ignore"] }).exitCode === 0;
  const builders = [
    ["podman", "--version"],
    ["buildah", "--version"],
    ["docker", "info"],
  ];
  return (
    builders.some((command) => succeeds(...command)) &&
    succeeds(...sandbox("65534:65534"), "--ro-bind", "/", "/", "true")
  );
}

/** `make image`, up to date with the source. Its output is shown. */
export async function makeImage(): Promise<void> {
  const make = Bun.spawn(["env", "-u", "MAKEFLAGS", "make", "--no-print-directory", "image"], {
    cwd: projectRoot,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exitCode = await make.exited;
  if (exitCode !== 0) throw new Error(`make image ended with exit code ${exitCode}`);
}

/** Unpacks the archive as a container runtime does, layer over layer (OCI image specification, layer and config). */
export async function unpackImage(archive = ARCHIVE): Promise<Image> {
  const folder = await createFolder();
  const root = folder.file("root");
  const layout = folder.file("layout");
  await run(["mkdir", root, layout]);
  // The user of the container has to get to its root.
  await chmod(folder.path, 0o755);
  await run(["tar", "-xf", archive, "-C", layout]);
  const blob = (digest: string): string => join(layout, "blobs", digest.replace(":", "/"));
  const index = await Bun.file(join(layout, "index.json")).json();
  if (index.manifests.length !== 1) throw new Error(`not one image: ${JSON.stringify(index)}`);
  const manifest = await Bun.file(blob(index.manifests[0].digest)).json();
  for (const { digest } of manifest.layers) await run(["tar", "-xf", blob(digest), "-C", root]);
  const { config, history } = await Bun.file(blob(manifest.config.digest)).json();
  return {
    root,
    config,
    history: history.map(({ created_by = "" }) => created_by),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/**
 * Starts the image as a container runtime would: as the image's user, without any right beside that, as PID 1, on a
 * read-only root, with the image's environment and the given settings alone. Only the network is the machine's.
 */
export async function startImage(image: Image, options: ContainerOptions = {}): Promise<Hub> {
  return await startHub({ command: await commandOf(image, options), env: environmentOf(image, options) });
}

/** Runs a command of the image that ends by itself, e.g. `["healthcheck"]`. */
export async function runImage(
  image: Image,
  args: readonly string[],
  options: ContainerOptions = {},
): Promise<Finished> {
  const env = environmentOf(image, options);
  const child = Bun.spawn([...(await commandOf(image, options)), ...args], {
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const output = Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    const [exitCode, stdout, stderr] = await within(output, `end of the image's ${args.join(" ")}`);
    return { exitCode, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
  }
}

/** The process that is PID 1 inside, as this machine numbers it. */
export async function firstProcessOf(hub: Hub): Promise<number> {
  const children = await Bun.file(`/proc/${hub.pid}/task/${hub.pid}/children`).text();
  return Number(children.trim());
}

function environmentOf(image: Image, { env = {} }: ContainerOptions): HubEnv {
  const own = image.config.Env.map((entry): [string, string] => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  return { PATH: undefined, HOME: undefined, ...Object.fromEntries(own), ...env };
}

async function commandOf(image: Image, { mounts = [] }: ContainerOptions): Promise<string[]> {
  const mounted = new Set(mounts.map(({ at }) => at));
  const entries = (await readdir(image.root)).filter((name) => !mounted.has(`/${name}`));
  return [
    ...sandbox(image.config.User),
    ...entries.flatMap((name) => ["--ro-bind", join(image.root, name), `/${name}`]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...mounts.flatMap(({ from, at, isReadOnly }) => [isReadOnly ? "--ro-bind" : "--bind", from, at]),
    ...["--remount-ro", "/", "--chdir", "/"],
    ...image.config.Entrypoint,
    ...(image.config.Cmd ?? []),
  ];
}

/** bubblewrap without anything mounted yet. Root becomes the user for good; anybody else only looks like him. */
function sandbox(user: string): string[] {
  const [uid = "", gid = ""] = user.split(":");
  const setpriv = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  return [
    ...(process.getuid?.() === 0 ? setpriv : []),
    ...["bwrap", "--unshare-user", "--uid", uid, "--gid", gid],
    ...["--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts"],
    // Nothing outlives the test, however that ends.
    ...["--die-with-parent", "--new-session"],
  ];
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
}
