import * as z from "zod";
import { checkResult } from "../../src/core/check/result.ts";
import { policyStatement } from "../../src/core/check/statements.ts";
import { environmentRecord } from "../../src/core/environment/json.ts";
import { count, documentOf, executionArn, lock, problem, time, warnings } from "./vocabulary.ts";

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
  /** Those of them that stay because they are locked, each a sentence with its time; absent where none does. */
  lockedBackups: z.array(z.string()).optional(),
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
      /** What no backup names either, and stays until then at the latest, because it is locked. */
      locked: z.strictObject({ objects: count, bytes: count, until: lock.shape.until }).optional(),
    }),
  ),
});

/** `check`; exit code 1 where something is not `ok` */
export const checks = documentOf("checks", {
  ok: z.boolean(),
  /** Whose permissions were tried where the environment names no keys: a user or role, or functions of the pipeline. */
  triedBy: z.string(),
  checks: z.array(checkResult),
});

/** `check --simulate` */
export const policies = documentOf("policies", {
  environment: z.string(),
  /** What each policy needs, and when it needs it where that is not always. */
  policies: z.array(
    z.strictObject({ to: z.string(), when: z.string().optional(), statements: z.array(policyStatement) }),
  ),
});

/** `status --last`; exit code 1 where one is `late` or `unknown` */
export const schedules = documentOf("schedules", {
  stack: z.string(),
  ok: z.boolean(),
  schedules: z.array(
    z.strictObject({
      schedule: z.string(),
      environment: z.string(),
      /**
       * - `ok`: its newest good backup is new enough
       * - `late`: it is not, or there is none
       * - `unknown`: nobody could look
       * - `off`: it promises nothing, since it is disabled or has not been due yet
       */
      state: z.enum(["ok", "late", "unknown", "off"]),
      /** The newest good backup; absent, with the next two, where there is none. */
      backupName: z.string().optional(),
      /** The earliest instant of its collections, or without any when it was made. */
      asOf: time.optional(),
      ageSeconds: z.number().int().optional(),
      /** What the newest good backup must not be older than. */
      expectedSince: time.optional(),
      /** Why nobody could look. */
      error: problem.optional(),
      warnings,
    }),
  ),
});

/** `env list` */
/** `check config`: what the file says, after environment variables and `--set` */
export const config = documentOf("config", {
  file: z.string(),
  settings: z.array(
    z.strictObject({
      key: z.string(),
      /** Absent where it is a secret or a certificate, or only says the same as another key. */
      value: z.union([z.string(), z.number(), z.boolean()]).optional(),
      from: z.enum(["--set", "variable", "file", "default"]),
      /** Name of the environment variable. */
      variable: z.string().optional(),
      /** Of the file. */
      line: count.optional(),
    }),
  ),
});

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

/** `env set`, `env rm`, `env restore` */
export const registration = documentOf("registration", {
  environment: z.string(),
  outcome: z.enum(["created", "updated", "unchanged", "removed", "restored"]),
  /** Of `removed`, but for `--force`: until then `env restore` brings it back. */
  restorableUntil: time.optional(),
});

/** Of every verb that failed, with exit code 1; with 130 where Ctrl-C came before it was known whether the execution was started. */
export const failure = documentOf("error", {
  state: z.literal("failed"),
  error: problem,
  /** Of the execution that failed, or may have been started. */
  executionArn: executionArn.optional(),
});

/** `server`, once it listens */
export const server = documentOf("server", {
  /** What stands in front of `/create`. */
  url: z.url(),
  environment: z.string(),
  /** Whether requests must have one. */
  token: z.boolean(),
});
