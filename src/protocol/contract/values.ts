import { z } from "zod";

/** The values that frames and bodies are made of (PROTOCOL.md, section 0). */

export const cursor = z.string().regex(/^[0-9A-Za-z._:-]{1,64}$/);

export const commandId = z.string().regex(/^[0-9A-Za-z._:-]{1,64}$/);

export const connId = z.string().regex(/^[0-9a-f]{8}$/);

export const count = z.int().min(0);

/** Any JSON object. */
export const jsonObject = z.record(z.string(), z.unknown());

/** A worker's status, with further members beside it; the metadata is null exactly where nobody works. */
export function workerStatus<Shape extends z.core.$ZodShape>(before: Shape) {
  return z.discriminatedUnion("status", [
    z.object({ ...before, status: z.literal("online"), metadata: jsonObject }),
    z.object({ ...before, status: z.literal("offline"), metadata: z.null() }),
  ]);
}

export const status = workerStatus({});
