/** Other people's servers that do the same work: installed on demand, and left out where they cannot be. */
import { copyFileSync, existsSync, mkdirSync, realpathSync } from "node:fs";
import { basename, delimiter, join, relative } from "node:path";
import { NGINX } from "../support/nginx.ts";
import { note } from "./finding.ts";
import { PUBLISH_PATH } from "./generator/nchan.ts";
import { openFileLimit } from "./machine.ts";
import manifest from "./package.json" with { type: "json" };
import { type Found, ROOT } from "./target.ts";

/** Not beside the sources, where linters and tests would find other people's files. */
const PEERS = join(ROOT, "dist/peers");
const MODULE_FOLDERS = ["/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules"];
const MODULE = "ngx_nchan_module.so";
const INSTALL_WITHIN_MS = 120_000;

/** Node itself: `bun run` puts a `node` first on the PATH that is Bun. */
const NODE = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((path) => existsSync(path) && !basename(realpathSync(path)).startsWith("bun"));

export const ws = async (): Promise<Found> => await nodeServer("ws", "ws");

export async function socketIo(): Promise<Found> {
  return { ...(await nodeServer("socket.io", "Socket.IO")), wire: "socket.io" };
}

async function nodeServer(name: keyof typeof manifest.dependencies, called: string): Promise<Found> {
  if (NODE === undefined) return { name, missing: "there is no Node" };
  const problem = await installPackages();
  if (problem !== undefined) return { name, missing: problem };
  const node = outputOf([NODE, "--version"]).replace(/^v/, "Node ");
  const peer = `${called} ${manifest.dependencies[name]}, ${node}`;
  return { name, command: [NODE, join(PEERS, serverFile(name))], peer, framings: ["raw"] };
}

const serverFile = (name: string): string => `${name.replace(".", "-")}.mjs`;

/**
 * Installs what package.json of this folder names, unless it is there, and puts the servers beside it. Returns what went
 * wrong, or nothing.
 */
async function installPackages(): Promise<string | undefined> {
  const names = Object.entries(manifest.dependencies);
  mkdirSync(PEERS, { recursive: true });
  const files = ["package.json", "bun.lock", ...names.map(([name]) => join("peers", serverFile(name)))];
  for (const file of files) copyFileSync(join(import.meta.dir, file), join(PEERS, basename(file)));
  const isInstalled = await Promise.all(names.map(([name, version]) => hasVersion(name, version)));
  if (isInstalled.every(Boolean)) return undefined;
  note(`installing ${names.map(([name]) => name).join(" and ")} into ${relative(ROOT, PEERS)}`);
  const install = Bun.spawn([process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"], {
    cwd: PEERS,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: INSTALL_WITHIN_MS,
  });
  const code = await install.exited;
  return code === 0 ? undefined : `its packages could not be installed (bun install ended with ${code})`;
}

async function hasVersion(name: string, version: string): Promise<boolean> {
  const file = Bun.file(join(PEERS, "node_modules", name, "package.json"));
  return (await file.exists()) && ((await file.json()) as { version: string }).version === version;
}

export function nchan(): Found {
  const name = "nchan";
  const folder = MODULE_FOLDERS.find((each) => existsSync(join(each, MODULE)));
  if (NGINX === undefined || folder === undefined) {
    return { name, missing: "there is no nginx with Nchan (Debian: libnginx-mod-nchan)" };
  }
  const version = outputOf([NGINX, "-v"]).replace(/^nginx version: /, "");
  return {
    name,
    command: [NGINX, "-p", "{folder}", "-c", "server.conf", "-e", "stderr"],
    configuration: nchanConfiguration(join(folder, MODULE)),
    peer: `Nchan, ${version}`,
    wire: "nchan",
    framings: ["raw"],
  };
}

/**
 * One process, because the others have one, too. Its buffer holds the messages under way, so that none is lost, and a
 * subscriber starts with the next message, as everywhere else.
 */
function nchanConfiguration(module: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const files = openFileLimit();
  return `daemon off;
master_process off;
pid nginx.pid;
load_module ${module};
worker_rlimit_nofile ${files};
events { worker_connections ${files - 100}; }
http {
  access_log off;
  ${kinds.map((kind) => `${kind}_temp_path ${kind};`).join("\n  ")}
  nchan_shared_memory_size 512m;
  server {
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    location = ${PUBLISH_PATH} {
      nchan_publisher http;
      nchan_channel_id load;
      nchan_message_buffer_length 2000;
      nchan_message_timeout 10m;
    }
    location = /ws {
      nchan_subscriber websocket;
      nchan_channel_id load;
      nchan_subscriber_first_message newest;
    }
  }
}
`;
}

/** What a command that only says its version writes. */
function outputOf(command: string[]): string {
  const { stdout, stderr } = Bun.spawnSync(command);
  return `${stdout}${stderr}`.trim();
}
