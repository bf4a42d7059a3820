import * as z from "zod";
import { neededStatement } from "./statements.ts";

/** How one check went. `detail` says what was found, or what is wrong and what to do. */
export const checkResult = z.strictObject({
  check: z.string(),
  ok: z.boolean(),
  detail: z.string(),
  /** The statements of IAM without which it was refused. */
  missing: z.array(neededStatement).optional(),
});
export type CheckResult = z.infer<typeof checkResult>;

/** What a function is invoked with to check an environment with its own role, in its own network. */
export const checkRequest = z.strictObject({
  check: z.strictObject({
    /** A registered one. */
    environment: z.string().min(1),
    /** `stores`: both buckets; `milvus`: the calls of Milvus. */
    of: z.enum(["stores", "milvus"]),
    /** true: nothing is written beside the backups. */
    restoreOnly: z.boolean().optional(),
    /** Tells what it writes from what another check does. */
    id: z.string().regex(/^[0-9a-f]{8}$/),
  }),
});
export type CheckRequest = z.infer<typeof checkRequest>;

/** What it answers. */
export const checkAnswer = z.strictObject({ checks: z.array(checkResult) });
export type CheckAnswer = z.infer<typeof checkAnswer>;
