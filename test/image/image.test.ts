import { afterAll, beforeAll, describe, expect } from "bun:test";
import { chmod } from "node:fs/promises";
import manifest from "../../package.json" with { type: "json" };
import { blocksOf, README } from "../readme/document.ts";
import {
  AUTHORIZED,
  acceptedOf,
  call,
  expectProblem,
  publishOne,
  sendCommand,
  untilStatus,
} from "../support/api.ts";
import { within } from "../support/deadline.ts";
import { createFolder } from "../support/folder.ts";
import { type Hub, SECRET } from "../support/hub.ts";
import {
  canRunImages,
  firstProcessOf,
  IMAGE_NEEDS,
  type Image,
  makeImage,
  runImage,
  startImage,
  unpackImage,
} from "../support/image.ts";
import { joinClient, joinWorker, OFFLINE, online } from "../support/parties.ts";
import { lastingPort } from "../support/port.ts";
import { testThatNeeds } from "../support/skip.ts";
import { joinLiveSse } from "../support/sse-stream.ts";
import { joinLive, joinStream } from "../support/streamclient.ts";

// The image that `make image` builds, started as a container runtime starts it.

const isPossible = canRunImages();
const imageTest = testThatNeeds(IMAGE_NEEDS, isPossible);
const BUILD_LIMIT_MS = 600_000;
const MESSAGE = '{"type": "DOC_UPDATE", "id": 9007199254740993, "ratio": 1.0}';

/** The part of a compose file's service that this image has to fit. */
interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

let image: Image;
if (isPossible) {
  beforeAll(async () => {
    await makeImage();
    image = await unpackImage();
  }, BUILD_LIMIT_MS);
  afterAll(async () => await image?.[Symbol.asyncDispose]());
}

/** Sends a signal to the hub itself, as `docker stop` does, and waits for its exit code. */
async function signal(hub: Hub, name: NodeJS.Signals): Promise<number> {
  process.kill(await firstProcessOf(hub), name);
  return await within(hub.exited, `exit after ${name}`);
}

describe("what the image is", () => {
  imageTest("the binary, the libraries that it needs, and the folder for its data", () => {
    const files = [...new Bun.Glob("**").scanSync({ cwd: image.root, dot: true })].sort();
    const libraries = files.filter((file) => file !== "vectra-hub");
    expect(files).toContain("vectra-hub");
    for (const file of libraries) {
      expect(file).toMatch(/^(usr\/)?lib(64)?\/(.*\/)?(ld-[\w-]+|lib\w+)\.so\.\d+$/);
    }
    expect(libraries.length).toBeLessThan(10);
  });

  imageTest("its configuration: no root, one command, production, labels", () => {
    const { User, Env, Entrypoint, Cmd, ExposedPorts, Labels } = image.config;
    expect({ User, Entrypoint, Cmd, ExposedPorts }).toEqual({
      User: "65534:65534",
      Entrypoint: ["/vectra-hub"],
      Cmd: undefined,
      ExposedPorts: { "8000/tcp": {} },
    });
    expect(Env).toContain("ENV=production");
    expect(Labels).toMatchObject({
      "org.opencontainers.image.title": manifest.name,
      "org.opencontainers.image.description": manifest.description,
      "org.opencontainers.image.licenses": manifest.license,
      "org.opencontainers.image.version": manifest.version,
    });
    expect(Labels["org.opencontainers.image.revision"]).toMatch(/^([0-9a-f]{12}(-dirty)?|unknown)$/);
  });

  imageTest("its health check needs no shell", () => {
    const { Healthcheck } = image.config;
    // The archive of an OCI image has no field for it: there only the history shows that the Dockerfile has one.
    if (Healthcheck === undefined) {
      const [instruction = ""] = image.history.filter((line) => line.includes("HEALTHCHECK"));
      expect(instruction).toEndWith('CMD ["/vectra-hub", "healthcheck"]');
    } else {
      expect(Healthcheck.Test).toEqual(["CMD", "/vectra-hub", "healthcheck"]);
    }
  });
});

describe("started as a container", () => {
  imageTest("it is PID 1, without root, rights, or a place to write", async () => {
    await using hub = await startImage(image);
    const pid = await firstProcessOf(hub);
    const status = await Bun.file(`/proc/${pid}/status`).text();
    const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
    expect(field("NSpid")).toEndWith("\t1");
    expect(field("CapEff")).toMatch(/^0+$/);
    expect(field("NoNewPrivs")).toBe("1");
    if (process.getuid?.() === 0) expect(field("Uid")).toBe("65534\t65534\t65534\t65534");

    const mounts = (await Bun.file(`/proc/${pid}/mountinfo`).text()).trimEnd().split("\n");
    const rootOptions = mounts.map((line) => line.split(" ")).filter(([, , , , at]) => at === "/");
    expect(rootOptions.length).toBeGreaterThan(0);
    for (const [, , , , , options] of rootOptions) expect(options?.split(",")).toContain("ro");
    const top = [...new Bun.Glob("*").scanSync({ cwd: `/proc/${pid}/root`, onlyFiles: false })];
    for (const missing of ["tmp", "etc", "var", "home"]) expect(top).not.toContain(missing);
  });

  imageTest("production is its default: no secret, no start", async () => {
    const { exitCode, stderr } = await runImage(image, [], { env: { HOST: "127.0.0.1", PORT: "0" } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("WORKER_SECRET");
    await using hub = await startImage(image);
    expectProblem(await call(hub, "/metrics"), 401, "unauthorized");
    expect((await call(hub, "/metrics", { headers: AUTHORIZED })).status).toBe(200);
  });

  imageTest("says its version", async () => {
    const { exitCode, stdout } = await runImage(image, ["version"]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      `vectra-hub ${manifest.version} (${image.config.Labels["org.opencontainers.image.revision"]})\n`,
    );
  });

  imageTest("worker, dashboard, event stream and backend work with it", async () => {
    await using hub = await startImage(image);
    await using client = await joinClient(hub);
    await using stream = await joinLive(hub);
    await using events = await joinLiveSse(hub);
    await using worker = await joinWorker(hub);
    expect(await client.next()).toBe(online());

    worker.send(MESSAGE);
    expect(await client.next()).toBe(MESSAGE);
    const cursor = await publishOne(hub, '{"type":"DOC_CREATED"}');
    expect(await client.next()).toBe('{"type":"DOC_CREATED"}');
    const texts = [online(), MESSAGE, '{"type":"DOC_CREATED"}'];
    expect(await stream.texts(3)).toEqual(texts);
    expect(await events.texts(3)).toEqual(texts);
    expect(stream.cursor()).toBe(cursor);
    expect(events.lastId()).toBe(cursor);

    const { id } = acceptedOf(await sendCommand(hub, '{"type":"TRIGGER_DOC_SYNC"}'));
    expect(await worker.next()).toBe('{"type":"TRIGGER_DOC_SYNC"}');
    await untilStatus(hub, id, "acknowledged");
    await worker.close();
    expect(await client.next()).toBe(OFFLINE);
  });

  for (const name of ["SIGTERM", "SIGINT"] as const) {
    imageTest(`${name} to PID 1 sends everybody away and ends with exit code 0`, async () => {
      await using hub = await startImage(image);
      await using client = await joinClient(hub);
      await using stream = await joinLive(hub);
      await using worker = await joinWorker(hub);
      expect(await signal(hub, name)).toBe(0);
      const { frames } = await stream.untilClose();
      expect(frames.at(-1)).toMatchObject({ type: "goodbye", reason: "shutdown" });
      expect((await within(client.closed, "close of the client")).code).toBe(1001);
      expect((await within(worker.closed, "close of the worker")).code).toBe(1001);
    });
  }

  imageTest("keeps its history on a mounted folder, from one container to the next", async () => {
    await using folder = await createFolder();
    await chmod(folder.path, 0o777);
    const options = {
      env: { HISTORY_FILE: "/data/history.sqlite" },
      mounts: [{ from: folder.path, at: "/data" }],
    };
    await using first = await startImage(image, options);
    const cursor = await publishOne(first, '{"type":"SEEN"}');
    await publishOne(first, MESSAGE);
    expect(await signal(first, "SIGTERM")).toBe(0);

    await using second = await startImage(image, options);
    await using stream = await joinStream(second, { since: cursor });
    expect(stream.hello.resumed).toBe(true);
    const { messages } = await stream.untilLive();
    expect(messages.map(({ data }) => data)).toEqual([MESSAGE]);
  });

  imageTest("without a mounted folder a history file is refused: nothing else can be written", async () => {
    const env = { HOST: "127.0.0.1", PORT: "0", WORKER_SECRET: SECRET, HISTORY_FILE: "/data/history.sqlite" };
    const { exitCode, stderr } = await runImage(image, [], { env });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("/data/history.sqlite");
  });

  imageTest("finds other containers by name", async () => {
    await using folder = await createFolder();
    await chmod(folder.path, 0o755);
    await Bun.write(folder.file("hosts"), "127.0.0.1 vectra-auth\n");
    const asked: string[] = [];
    await using auth = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked.push(request.headers.get("host") ?? "");
        return new Response(null, { status: 204 });
      },
    });
    await using hub = await startImage(image, {
      env: { CLIENT_AUTH_URL: `http://vectra-auth:${auth.port}/` },
      mounts: [{ from: folder.file("hosts"), at: "/etc/hosts", isReadOnly: true }],
    });
    await using _client = await joinClient(hub);
    expect(asked).toEqual([`vectra-auth:${auth.port}`]);
  });

  imageTest("healthcheck is 0 while the hub is ready and 1 when it is not there", async () => {
    const env = { HOST: "127.0.0.1", PORT: String(lastingPort()), WORKER_SECRET: SECRET };
    const ask = async (): Promise<number> => (await runImage(image, ["healthcheck"], { env })).exitCode;
    expect(await ask()).toBe(1);
    await using hub = await startImage(image, { env });
    expect(await ask()).toBe(0);
    expect(await signal(hub, "SIGTERM")).toBe(0);
    expect(await ask()).toBe(1);
  });

  imageTest("the compose file of the README starts it", async () => {
    const compose = blocksOf(await Bun.file(README).text()).find(({ name }) => name === "compose.yaml");
    const { services } = Bun.YAML.parse(compose?.text ?? "") as { services: Record<string, Service> };
    const service = services["vectra-hub"];
    expect(service?.image).toBe(`vectra-hub:${manifest.version}`);
    expect(service?.healthcheck.test).toEqual(["CMD", ...image.config.Entrypoint, "healthcheck"]);

    await using folder = await createFolder();
    await chmod(folder.path, 0o777);
    await Bun.write(folder.file("secret"), `${SECRET}\n`);
    const settings = service?.environment ?? {};
    await using hub = await startImage(image, {
      // There is no API to work beside.
      env: { ...settings, WORKER_SECRET: undefined, BRIDGE_URL: undefined },
      mounts: [
        { from: folder.path, at: "/data" },
        { from: folder.file("secret"), at: settings["WORKER_SECRET_FILE"] ?? "", isReadOnly: true },
      ],
    });
    await using _worker = await joinWorker(hub);
    expect(await Bun.file(folder.file("history.sqlite")).exists()).toBe(true);
  });
});
