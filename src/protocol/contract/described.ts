import type { z } from "zod";

/** A schema with what the contract says about it. */
export interface Described {
  readonly schema: z.ZodType;
  readonly description: string;
  readonly examples: readonly unknown[];
  /** Keywords of JSON Schema for what zod cannot say. */
  readonly json?: Readonly<Record<string, unknown>>;
}
