import * as z from "zod";
import { environmentRecord } from "../../src/core/environment/json.ts";
import { count, documentOf, executionArn, problem, time } from "./vocabulary.ts";

const freed = { segments: count, objects: count, bytes: count };

/** `delete` */
export const deleted = documentOf("delete", {
  backupName: z.string(),
  location: z.string(),
  objects: count,
  /** Segments that no other backup names; absent where there are none, or that is left to the next sweep. */
  swept: z.strictObject(freed).optional(),
});

/** `retention` */
export const retention = documentOf("retention", {
  schedule: z.string(),
  /** `keep` of the schedule. */
  rules: z.record(z.string(), z.unknown()),
  kept: z.array(z.strictObject({ backupName: z.string(), createdAt: time, reasons: z.array(z.string()) })),
  /** What goes, with what failed ones left: those have no time. */
  expired: z.array(z.strictObject({ backupName: z.string(), createdAt: time.optional() })),
  /** false: nothing was deleted (`--dry-run`, or nothing goes). */
  deleted: z.boolean(),
  /** Absent where nothing was deleted. */
  objects: count.optional(),
});

/** `sweep` */
export const sweep = documentOf("sweep", {
  location: z.string(),
  /** false: nothing was deleted (`--dry-run`, or nothing is free). */
  deleted: z.boolean(),
  ...freed,
  /** One a Milvus whose segments lie there. */
  sources: z.array(
    z.strictObject({
      source: z.string(),
      ...freed,
      /** Why nothing was looked at, or why it was broken off. */
      skipped: z.string().optional(),
    }),
  ),
});

/** `check`; exit code 1 where something is not `ok` */
export const checks = documentOf("checks", {
  ok: z.boolean(),
  checks: z.array(z.strictObject({ check: z.string(), ok: z.boolean(), detail: z.string() })),
});

/** `env list` */
export const environments = documentOf("environments", {
  environments: z.array(
    z.strictObject({
      environment: z.string(),
      /** Absent, with all that follows, where somebody changed the secret by hand into something else. */
      milvus: z.string().optional(),
      storage: z.string().optional(),
      backupStorage: z.string().optional(),
    }),
  ),
});

/** `env show` */
export const environment = documentOf("environment", {
  environment: z.string(),
  /** With `***` in place of secrets. */
  settings: z.strictObject(environmentRecord.omit({ name: true }).shape),
});

/** `env set`, `env rm` */
export const registration = documentOf("registration", {
  environment: z.string(),
  outcome: z.enum(["created", "updated", "unchanged", "removed"]),
});

/** Of every verb that failed, with exit code 1. */
export const failure = documentOf("error", {
  state: z.literal("failed"),
  error: problem,
  /** Of the execution that failed. */
  executionArn: executionArn.optional(),
});
