/**
 * What the client touches of the world: clocks, timers, chance, and the browser's hints that now is a good moment to look
 * after the connection. Nothing is touched when the module is loaded, only when a connection is made.
 */
export interface ClientRuntime {
  /** Milliseconds since 1970: for what people are shown. */
  nowMs(): number;
  /** A clock in milliseconds that never jumps: for time-outs. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`, unless the returned function is called first. */
  after(delayMs: number, run: () => void): Cancel;
  /** A number in [0, 1): for jitter. */
  random(): number;
  /** `byteCount` random bytes, as lower-case hex. */
  randomHex(byteCount: number): string;
  /** Calls `run` whenever the page becomes visible, is shown again, or the network comes back; never outside of browsers. */
  onWake(run: () => void): Cancel;
  /** Tells the world of an error that a callback has thrown, as if an event listener had thrown it. */
  report(error: unknown): void;
}

export type Cancel = () => void;

/** What browsers have, and Bun and Node have not. */
interface Page {
  readonly visibilityState: string;
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}
type Window = Partial<Omit<Page, "visibilityState">> & { readonly document?: Page };

export function systemRuntime(): ClientRuntime {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    random: () => Math.random(),
    randomHex(byteCount) {
      const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    onWake,
    report(error) {
      queueMicrotask(() => {
        throw error;
      });
    },
  };
}

function onWake(run: () => void): Cancel {
  const window: Window = globalThis;
  const { document } = window;
  if (document === undefined) return () => undefined;
  const becameVisible = (): void => {
    if (document.visibilityState === "visible") run();
  };
  document.addEventListener("visibilitychange", becameVisible);
  window.addEventListener?.("pageshow", run);
  window.addEventListener?.("online", run);
  return () => {
    document.removeEventListener("visibilitychange", becameVisible);
    window.removeEventListener?.("pageshow", run);
    window.removeEventListener?.("online", run);
  };
}
