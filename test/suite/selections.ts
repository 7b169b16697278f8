/** Files of a folder that a stage leaves out: each file, or folder with a slash at its end, with the reason. */
export type Exclusions = Readonly<Record<string, string>>;

/**
 * What in test/wire is about one process, or one file, and not about the wire: several hubs on one Redis, with clients
 * and worker spread over them, are held to everything else. New files are held to it by themselves.
 */
export const NOT_ON_REDIS: Exclusions = {
  "test/wire/bridge/": "each process has a bridge of its own, and one is enough",
  "test/wire/canary.test.ts": "one event loop that stands still",
  "test/wire/cli/": "commands against one hub",
  "test/wire/config.test.ts": "a process's settings",
  "test/wire/conflate.test.ts": "each hub holds back for itself what it was given",
  "test/wire/contract.test.ts": "what a process says of itself, at its operators' port too",
  "test/wire/drain.test.ts": "a process's signals, and its listener of operators",
  "test/wire/garbage.test.ts": "what one process makes of bytes, at length",
  "test/wire/guards/": "limits, origins and addresses, which each process counts and judges by itself",
  "test/wire/http/health.test.ts": "which checks a hub by itself has",
  "test/wire/http/idempotency-held.test.ts": "conflation, which each hub does for itself",
  "test/wire/http/keys-full.test.ts": "100,000 keys one by one, at length",
  "test/wire/http/refusals.test.ts": "what a hub refuses before it asks anybody, at length",
  "test/wire/http/receivers.test.ts": "a receipt counts the receivers of its node",
  "test/wire/metrics/": "each process counts itself",
  "test/wire/nginx.test.ts": "the README's proxy in front of one hub",
  "test/wire/process.test.ts": "a process: its port, its log, its signals",
  "test/wire/readme.test.ts": "the README's examples, as they stand there",
  "test/wire/refused.test.ts": "starts that fail",
  "test/wire/rfc6455/": "the framing of one connection, which no backplane touches",
  "test/wire/security/": "what one process lets in, logs and holds",
  "test/wire/sse/heartbeat.test.ts": "a connection's heartbeats, at length",
  "test/wire/stream/backup.test.ts": "a history file",
  "test/wire/stream/disk.test.ts": "a history file",
  "test/wire/stream/goodbye.test.ts": "a process's signals: clients of the other one are told of its worker",
  "test/wire/stream/history-file.test.ts": "a history file",
  "test/wire/tls.test.ts": "a process's certificates",
  "test/wire/unix.test.ts": "a process's socket in the file system",
};

/** What in test/wire no number of threads can change, or what cannot have several. */
export const NOT_WITH_THREADS: Exclusions = {
  "test/wire/bridge/": "the bridge is in the core",
  "test/wire/cli/": "what the commands do is the same against any hub",
  "test/wire/config.test.ts": "settings, before any thread",
  "test/wire/http/keys-full.test.ts": "the keys are in the core",
  "test/wire/nginx.test.ts": "the README's proxy",
  "test/wire/readme.test.ts": "the README's examples, as they stand there",
  "test/wire/refused.test.ts": "starts that fail before any thread",
  "test/wire/rfc6455/": "the framing of one connection, which is the same in every thread",
  "test/wire/security/slow-loris.test.ts": "a connection's time-outs, at length: the same in every thread",
  "test/wire/stream/backup.test.ts": "the history file is the core's",
  "test/wire/stream/disk.test.ts": "the history file is the core's",
  "test/wire/stream/history-file.test.ts": "the history file is the core's",
  "test/wire/unix.test.ts": "a socket in the file system serves one thread",
};

/**
 * @returns those of `files` that are not left out
 * @throws Error where an entry leaves out nothing, so that no list outlives what it speaks of
 */
export function withoutExcluded(files: readonly string[], exclusions: Exclusions): string[] {
  const names = Object.keys(exclusions);
  const isMeant = (name: string, file: string): boolean =>
    name.endsWith("/") ? file.startsWith(name) : file === name;
  const vain = names.filter((name) => !files.some((file) => isMeant(name, file)));
  if (vain.length > 0) throw new Error(`left out, and not there: ${vain.join(" ")}`);
  return files.filter((file) => !names.some((name) => isMeant(name, file)));
}
