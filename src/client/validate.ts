import type { Validator } from "./options.ts";

export type Validated<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly error: unknown };

/** @returns what checks one value; without a validator it takes everything as it is */
export function createValidate<T>(validator: Validator<T> | undefined): (value: unknown) => Validated<T> {
  if (validator === undefined) return (value) => ({ ok: true, data: value as T });
  const check = (value: unknown): Validated<T> => {
    if (typeof validator === "function") return { ok: true, data: validator(value) };
    // zod has both; this one does not throw.
    if (!("safeParse" in validator)) return { ok: true, data: validator.parse(value) };
    const result = validator.safeParse(value);
    return result.success ? { ok: true, data: result.data } : { ok: false, error: result.error };
  };
  return (value) => {
    try {
      return check(value);
    } catch (error) {
      return { ok: false, error };
    }
  };
}
