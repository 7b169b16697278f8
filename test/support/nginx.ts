import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { within } from "./deadline.ts";
import { createFolder } from "./folder.ts";
import { lastingPort } from "./port.ts";

const CANDIDATES = ["/usr/sbin/nginx", "nginx"];

/** Debian has it where only root's PATH looks. */
export const NGINX = CANDIDATES.map((command) => Bun.which(command)).find((path) => path !== null);

export interface Nginx extends AsyncDisposable {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
}

/**
 * Starts nginx in the foreground, in a folder of its own, and waits until it listens.
 * @param server a `server` block that listens on port 80: that becomes a free port of loopback
 * @param upstreams what stands in place of a `host:port` in the block
 */
export async function startNginx(
  server: string,
  upstreams: Readonly<Record<string, string>>,
): Promise<Nginx> {
  const port = lastingPort();
  const folder = await createFolder();
  let block = server.replace(/^( *listen) 80;$/m, `$1 127.0.0.1:${port};`);
  for (const [name, address] of Object.entries(upstreams)) block = block.replaceAll(name, address);
  await mkdir(folder.file("temp"));
  await Bun.write(folder.file("nginx.conf"), configuration(block));
  const child = Bun.spawn([NGINX ?? "nginx", "-p", folder.path, "-c", "nginx.conf", "-e", "stderr"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const dispose = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    await folder[Symbol.asyncDispose]();
  };
  try {
    const died = child.exited.then((exitCode) => {
      throw new Error(`nginx has ended with exit code ${exitCode}`);
    });
    await within(Promise.race([listening(port), died]), "nginx listens");
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
}

function configuration(server: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
# One process: nothing is left when it is killed, and nobody's rights have to be dropped.
master_process off;
pid nginx.pid;
events { worker_connections 256; }
http {
    access_log off;
    ${kinds.map((kind) => `${kind}_temp_path temp/${kind};`).join("\n    ")}
${server}
}
`;
}

async function listening(port: number): Promise<void> {
  while (!(await accepts(port))) await Bun.sleep(5);
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1");
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
