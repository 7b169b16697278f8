import { z } from "zod";
import { parseAuthUrl } from "../protocol/auth-url.ts";
import { type ConflationRule, parseConflation } from "../protocol/conflation.ts";
import { parseOrigins } from "../protocol/origins.ts";

/** What is printed about a setting beside its name. */
export interface SettingNotes {
  readonly help: string;
  readonly unit?: string;
  readonly secret?: boolean;
  /** The default as text, or what is done when the setting is missing. */
  readonly defaultNote: string;
  /** What a value may be, e.g. `0-65535`. */
  readonly accepts: string;
}

/** The notes of each setting, by its schema. */
export const settingNotes = z.registry<SettingNotes>();

type Help = Pick<SettingNotes, "help" | "unit"> & { readonly defaultNote?: string };

/** A whole number from `min` to `max`, written in decimal digits. */
export function integer(min: number, max: number, fallback: number, notes: Help) {
  return wholeNumber(min, max)
    .default(fallback)
    .register(settingNotes, { defaultNote: String(fallback), accepts: `${min}-${max}`, ...notes });
}

/** The same; may be missing. */
export function optionalInteger(min: number, max: number, notes: Help) {
  return wholeNumber(min, max)
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: `${min}-${max}`, ...notes });
}

function wholeNumber(min: number, max: number) {
  const reason = `is no whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, reason)
    .transform(Number)
    .pipe(z.number().min(min, reason).max(max, reason));
}

/** How many threads: a whole number from 1, or `auto`. */
export function threads(max: number, notes: Help) {
  const reason = `is neither auto nor a whole number from 1 to ${max}`;
  const count = z
    .string()
    .regex(/^\d{1,4}$/, reason)
    .transform(Number)
    .pipe(z.number().min(1, reason).max(max, reason));
  return z
    .union([z.literal("auto"), count], reason)
    .default(1)
    .register(settingNotes, { defaultNote: "1", accepts: `auto | 1-${max}`, ...notes });
}

/** One word of a list. Without a fallback the setting may be missing. */
export function oneOf<const Word extends string>(
  words: readonly Word[],
  fallback: Word,
  notes: Help,
): OneOf<Word>;
export function oneOf<const Word extends string>(
  words: readonly Word[],
  fallback: undefined,
  notes: Help,
): z.ZodOptional<z.ZodEnum<{ [key in Word]: key }>>;
export function oneOf<const Word extends string>(
  words: readonly Word[],
  fallback: Word | undefined,
  notes: Help,
) {
  const word = z.enum(words, `is none of ${words.join(", ")}`);
  const meta: SettingNotes = { defaultNote: fallback ?? "", accepts: words.join(" | "), ...notes };
  return fallback === undefined
    ? word.optional().register(settingNotes, meta)
    : word.default(fallback as never).register(settingNotes, meta);
}
type OneOf<Word extends string> = z.ZodDefault<z.ZodEnum<{ [key in Word]: key }>>;

/** `true` or `false` (also `1` and `0`); may be missing. */
export function optionalFlag(notes: Help) {
  return z
    .enum(["true", "false", "1", "0"], "is neither true nor false")
    .transform((word) => word === "true" || word === "1")
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "true | false", ...notes });
}

/** Any text; may be missing. */
export function text(notes: Help) {
  return z
    .string()
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "text", ...notes });
}

/** Any text. */
export function textOr(fallback: string, notes: Help) {
  return z
    .string()
    .default(fallback)
    .register(settingNotes, { defaultNote: fallback, accepts: "text", ...notes });
}

/** The path of a file; may be missing. */
export function path(notes: Help) {
  return z
    .string()
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "path", ...notes });
}

/** A secret: printed nowhere. White space around it could never arrive in an HTTP header, so it is a mistake. */
export function secret(notes: Help) {
  return z
    .string()
    .refine((value) => value === value.trim(), "has white space around it, which no HTTP header can carry")
    .refine((value) => !/\p{Cc}/u.test(value), "holds a control character, which no HTTP header can carry")
    .optional()
    .register(settingNotes, { secret: true, defaultNote: "", accepts: "text", ...notes });
}

/** A list of absolute paths, separated by commas. */
export function absolutePaths(fallback: readonly string[], notes: Help) {
  const onePath = z.string().regex(/^\/[A-Za-z0-9._~/-]*$/, "is no list of paths like /ws,/api/v1/ws");
  return z
    .string()
    .transform((list) => list.split(",").map((item) => item.trim()))
    .pipe(z.array(onePath).min(1).max(16, "holds more than 16 paths"))
    .default([...fallback])
    .register(settingNotes, { defaultNote: fallback.join(","), accepts: "paths", ...notes });
}

/** Rules of conflation, `type:key:ms,…`. */
export function conflation(notes: Help) {
  return z
    .string()
    .transform((list, context): readonly ConflationRule[] => {
      const parsed = parseConflation(list);
      if (parsed.ok) return parsed.rules;
      context.addIssue({ code: "custom", message: parsed.why });
      return z.NEVER;
    })
    .default([])
    .register(settingNotes, { defaultNote: "", accepts: "rules like DOC_PROGRESS:doc_id:100", ...notes });
}

/** Origins, separated by commas; may be missing. */
export function origins(notes: Help) {
  return z
    .string()
    .transform((list, context) => {
      const parsed = parseOrigins(list);
      if (parsed.ok) return parsed.origins;
      context.addIssue({ code: "custom", message: parsed.why });
      return z.NEVER;
    })
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "origins", ...notes });
}

/** The address of forward-auth; may be missing. */
export function authUrl(notes: Help) {
  return z
    .string()
    .transform((text, context) => {
      const parsed = parseAuthUrl(text);
      if (parsed.ok) return parsed.url;
      context.addIssue({ code: "custom", message: parsed.why });
      return z.NEVER;
    })
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "http:// or https:// address", ...notes });
}

/** The address of a Redis server, which may hold its password: printed nowhere; may be missing. */
export function redisUrl(notes: Help) {
  return z
    .url({ protocol: /^rediss?$/, error: "is no redis:// or rediss:// address" })
    .optional()
    .register(settingNotes, {
      secret: true,
      defaultNote: "",
      accepts: "redis:// or rediss:// address",
      ...notes,
    });
}

/** The address of a WebSocket; may be missing. */
export function websocketUrl(notes: Help) {
  return z
    .url({ protocol: /^wss?$/, error: "is no ws:// or wss:// address" })
    .optional()
    .register(settingNotes, { defaultNote: "", accepts: "ws:// or wss:// address", ...notes });
}
