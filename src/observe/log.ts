/** Severity, lowest first. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line is about; the words are those of the Python original. */
export type LogEvent = "CONNECT" | "START" | "FINISH" | "FAIL" | "SECURITY" | "CONTEXT" | "STATUS";

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Writes one line.
 * @param scope the function or part that speaks, e.g. `websocket_endpoint`
 * @param fields values, also those from outside: they are escaped and cut, so that they cannot forge a line
 */
export type LogCall = (event: LogEvent, scope: string, message: string, fields?: LogFields) => void;

/**
 * A level that is switched off has no function. Callers write `log.debug?.(…)`, so that at a disabled level not even
 * the arguments are evaluated.
 */
export type Log = { readonly [level in LogLevel]?: LogCall };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly nowMs: () => number;
  readonly write: (line: string) => void;
}

/** A value that came from outside may be a whole message: no line shows more of it than this. */
const VALUE_LIMIT_CHARS = 256;

/** Builds the log for `LOG_LEVEL` and `LOG_FORMAT`. */
export function createLog(options: LogOptions): Log {
  const format = options.format === "json" ? jsonLine : textLine;
  const enabled = LOG_LEVELS.slice(LOG_LEVELS.indexOf(options.level));
  const call =
    (level: LogLevel): LogCall =>
    (event, scope, message, fields = {}) => {
      options.write(format(new Date(options.nowMs()).toISOString(), level, event, scope, message, fields));
    };
  return Object.fromEntries(enabled.map((level) => [level, call(level)]));
}

function jsonLine(
  time: string,
  level: LogLevel,
  event: LogEvent,
  scope: string,
  msg: string,
  fields: LogFields,
): string {
  const values = Object.entries(fields).map(([key, value]) => [key, cut(value)]);
  return escapeInvisible(JSON.stringify({ time, level, event, scope, msg, ...Object.fromEntries(values) }));
}

function textLine(
  time: string,
  level: LogLevel,
  event: LogEvent,
  scope: string,
  message: string,
  fields: LogFields,
): string {
  const values = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${textValue(cut(value))}`);
  const tail = values.length === 0 ? "" : ` [${values.join(", ")}]`;
  return `${time} ${level.toUpperCase().padEnd(7)} ${event} | ${scope} | ${message}${tail}`;
}

function textValue(value: unknown): string {
  const text = String(value);
  // Quoted as soon as it holds anything that could be mistaken for the line's own punctuation.
  return typeof value !== "string" || /^[\w.:/@+-]+$/.test(text)
    ? text
    : escapeInvisible(JSON.stringify(text));
}

function cut(value: LogFields[string]): LogFields[string] {
  return typeof value === "string" && value.length > VALUE_LIMIT_CHARS
    ? `${value.slice(0, VALUE_LIMIT_CHARS)}…`
    : value;
}

// JSON.stringify escapes C0. DEL, C1, line separators and direction marks can also break or disguise a line.
const INVISIBLE = /[\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

function escapeInvisible(json: string): string {
  return json.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
