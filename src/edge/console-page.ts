import { basename } from "node:path";
import type { Config } from "../config/schema.ts";
import page from "../console/index.html";
import { etagOf, isUnchanged } from "./etag.ts";
import type { Guard } from "./guard.ts";
import { notFound, problem } from "./problem.ts";
import type { Handler } from "./routes.ts";

/** What the page consists of lies below this path, the page itself at `/`. Behind a proxy's prefix both have the prefix. */
const FILES_PATH = "console";

/**
 * Nothing comes from elsewhere, nothing in the page's own markup runs, nothing frames it, and no script turns text into
 * markup. `'self'` covers WebSockets to the same host.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** A part of the page, ready to be sent. */
interface Part {
  readonly plain: Form;
  /** For whoever takes gzip, as every browser does: it is a third of the size. */
  readonly zipped: Form;
}

interface Form {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

interface Parts {
  readonly page: Part;
  /** By name. Names hold a hash of the content. */
  readonly files: ReadonlyMap<string, Part>;
}

export interface ConsoleOptions {
  readonly config: Config;
  readonly guard: Guard;
}

/**
 * The console (PROTOCOL.md, section 4): one page, its script, its style and its icon. The page is for whoever may be a
 * client. The other parts are the same in every hub, so that forward-auth, which may go by a token in the page's address,
 * is not asked about them.
 */
export function createConsole({ config, guard }: ConsoleOptions): { page: Handler; file: Handler } {
  let parts: Promise<Parts> | undefined;
  const load = (): Promise<Parts> => {
    if (parts !== undefined) return parts;
    parts = prepare(config).catch((error) => {
      parts = undefined;
      throw error;
    });
    return parts;
  };
  return {
    async page(request, server) {
      const turnedAway = await guard.identify(request, server);
      if (turnedAway !== undefined) return problem(turnedAway.problem);
      return answer(request, (await load()).page);
    },
    async file(request) {
      const name = request.params["file" as never] ?? "";
      const part = (await load()).files.get(name);
      return part === undefined
        ? problem(notFound(`the console has no file ${name}`))
        : answer(request, part);
    },
  };
}

function answer(request: Request, { plain, zipped }: Part): Response {
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(
    request.headers.get("accept-encoding") ?? "",
  );
  const { body, headers, etag } = takesGzip ? zipped : plain;
  return isUnchanged(request, etag)
    ? new Response(null, { status: 304, headers })
    : new Response(body, { headers });
}

async function prepare(config: Config): Promise<Parts> {
  const bundle = await readBundle();
  const names = [...bundle.keys()];
  const html = names.find((name) => name.endsWith(".html"));
  if (html === undefined) throw new Error("the bundle of the console holds no page");
  const text = new TextDecoder().decode(bundle.get(html));
  const files = names
    .filter((name) => name !== html)
    .map(
      (name) =>
        [
          name,
          part(name, bundle.get(name) ?? new Uint8Array(), "public, max-age=31536000, immutable"),
        ] as const,
    );
  return {
    page: part(html, new TextEncoder().encode(fitted(text, config)), "private, no-cache"),
    files: new Map(files),
  };
}

/**
 * The files of the page by name: those that `bun build` put into the binary, or, where the source runs, the same made now.
 * Bun's own route for an HTML import would serve them without a header of ours.
 */
async function readBundle(): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const compiled = page.files?.map(({ path }) => [path, Bun.file(path)] as const);
  const files = compiled ?? (await buildFromSource()).map((file) => [file.path, file] as const);
  return new Map(
    await Promise.all(
      files.map(async ([path, file]) => [basename(path), new Uint8Array(await file.arrayBuffer())] as const),
    ),
  );
}

async function buildFromSource(): Promise<readonly Bun.BuildArtifact[]> {
  const { outputs } = await Bun.build({ entrypoints: [page.index], target: "browser", minify: true });
  return outputs;
}

/** Makes the addresses in the page relative, and tells it where in this hub it finds what it needs. */
function fitted(html: string, config: Config): string {
  const relative = (attribute: string) => ({
    element(element: HTMLRewriterTypes.Element) {
      const path = element.getAttribute(attribute);
      if (path !== null) element.setAttribute(attribute, `${FILES_PATH}/${basename(path)}`);
    },
  });
  return new HTMLRewriter()
    .on("script[src], img[src]", relative("src"))
    .on("link[href]", relative("href"))
    .on("html", {
      element(element) {
        element.setAttribute("data-websocket", (config.WS_PATHS[0] ?? "").slice(1));
        element.setAttribute("data-stats", config.OPS_PORT === undefined ? "here" : "elsewhere");
      },
    })
    .transform(html.replace(/\n\s+/g, "\n"));
}

function part(name: string, body: Uint8Array<ArrayBuffer>, cacheControl: string): Part {
  const extension = name.slice(name.lastIndexOf(".") + 1);
  const form = (bytes: Uint8Array<ArrayBuffer>, encoding: Record<string, string>): Form => {
    const etag = etagOf(bytes);
    const headers = {
      ...HEADERS,
      ...encoding,
      "content-type": CONTENT_TYPES[extension] ?? "application/octet-stream",
      "cache-control": cacheControl,
      vary: "accept-encoding",
      etag,
    };
    return { body: bytes, etag, headers };
  };
  return {
    plain: form(body, {}),
    zipped: form(Bun.gzipSync(body, { level: 9 }), { "content-encoding": "gzip" }),
  };
}
