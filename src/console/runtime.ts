/** What the page touches of the world: clock, timers, chance. And how times are written. */

export function nowMs(): number {
  return Date.now();
}

/** Calls `run` at every second's turn. */
export function eachSecond(run: () => void): void {
  const next = (): void => {
    setTimeout(
      () => {
        run();
        next();
      },
      1005 - (Date.now() % 1000),
    );
  };
  next();
}

export function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

/** `byteCount` random bytes, as lower-case hex. randomUUID is there only for pages from https and from this machine. */
export function randomHex(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const two = (value: number): string => String(value).padStart(2, "0");

/** `12:03:04` in the time zone of whoever looks. */
export function timeOf(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `12:03:04.125` */
export function preciseTimeOf(ms: number): string {
  return `${timeOf(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, "0")}`;
}

/** `8 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h` */
export function durationOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}
