import { afterAll } from "bun:test";
import {
  type BrowserContextOptions,
  type ConsoleMessage,
  chromium,
  type Browser as Engine,
  type Page,
} from "playwright-core";
import { DEADLINE_MS } from "./deadline.ts";
import { testThatNeeds } from "./skip.ts";

const CHROMIUM = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");

/** A test that is skipped where there is no Chromium, which CI does not allow. */
export const browserTest = testThatNeeds("chromium on the PATH", CHROMIUM !== null);

/** One Chromium for a test file. Its tabs share nothing: each has its own cookies, storage and cache. */
export interface Browser extends AsyncDisposable {
  /** Opens a tab on `about:blank`. */
  open(options?: BrowserContextOptions): Promise<Tab>;
}

/** What a page complained about, in the order in which it did. */
export interface Complaint {
  readonly kind: "console" | "exception" | "csp";
  readonly text: string;
}

export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /**
   * Errors and warnings on the page's console, exceptions that nobody caught, and violations of its
   * Content-Security-Policy.
   * @param expected what need not be reported, e.g. that a connection failed while the hub was away
   */
  complaints(expected?: RegExp): Complaint[];
  /** The URLs that the page and its scripts have asked for, WebSockets included. */
  requests(): string[];
}

/** What Chromium itself writes to a page's console when the server is not there. No script can prevent it. */
export const CONNECTION_FAILED = /^(WebSocket connection to|Failed to load resource: net::ERR_)/;

/** Reports violations that the console might not show, such as those of a report-only policy. Runs before the page's own. */
const WATCH_CSP = `addEventListener("securitypolicyviolation", (event) => {
  reportCspViolation(event.violatedDirective + " " + event.blockedURI + " at line " + event.lineNumber);
});`;

/**
 * The one browser of a test file, launched when a test first asks for it and closed when all are done. To be called where the
 * file's hooks are registered.
 */
export function browserOfFile(): () => Promise<Browser> {
  let launched: Promise<Browser> | undefined;
  afterAll(async () => (await launched)?.[Symbol.asyncDispose]());
  return () => {
    if (launched === undefined) launched = launchBrowser();
    return launched;
  };
}

/** Starts Debian's Chromium without a window. */
async function launchBrowser(): Promise<Browser> {
  if (CHROMIUM === null) throw new Error("there is no chromium on the PATH");
  const engine = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    // Root may not use Chromium's sandbox, and a container may have no /dev/shm to speak of.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    timeout: DEADLINE_MS,
  });
  return {
    open: (options = {}) => openTab(engine, options),
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

async function openTab(engine: Engine, options: BrowserContextOptions): Promise<Tab> {
  const context = await engine.newContext(options);
  context.setDefaultTimeout(DEADLINE_MS);
  const complaints: Complaint[] = [];
  const requests: string[] = [];
  await context.exposeFunction("reportCspViolation", (text: string) => {
    complaints.push({ kind: "csp", text });
  });
  await context.addInitScript(WATCH_CSP);
  const page = await context.newPage();
  page.on("console", (message: ConsoleMessage) => {
    if (["error", "warning", "assert"].includes(message.type()))
      complaints.push({ kind: "console", text: message.text() });
  });
  page.on("pageerror", (error) => complaints.push({ kind: "exception", text: error.stack ?? error.message }));
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  return {
    page,
    complaints: (expected) =>
      complaints.filter(({ kind, text }) => kind !== "console" || !expected?.test(text)),
    requests: () => [...requests],
    [Symbol.asyncDispose]: () => context.close(),
  };
}
