import * as z from "zod";
import { environmentNamePattern } from "../environment/name.ts";
import { PipelineError } from "../execution/errors.ts";
import { backupInput, drillInput, scheduleName, signingKeyArn } from "../execution/messages.ts";
import { restoreConflict, unsignedRbac } from "../execution/restore-conflicts.ts";
import { parseCollectionSelector } from "../milvus/names.ts";
import { parseRenames, type Renames } from "../milvus/renames.ts";
import { allowedEnvironments, type EnvironmentUse, problemOfUse } from "./allowed-environments.ts";
import { bucketName, bucketRoot } from "./bucket-root.ts";
import { functionNames } from "./function-names.ts";
import { triggeredRestore } from "./restore-trigger.ts";
import { keepRules } from "./retention.ts";
import { problemOfScheduleExpression, problemOfTimeZone } from "./schedule-expression.ts";
import { verifyRule, verifyScheduleName } from "./verify-rule.ts";

/**
 * What is deployed, as `pipeline.yaml` says it; docs/pipeline-yaml.md describes every key. It holds names and ARNs, never a secret:
 * environments themselves are registered with `milvus-backup env set`.
 */

const environmentName = z.string().regex(environmentNamePattern, { error: "use 1 to 100 of [A-Za-z0-9_.-]" });
const arn = (service: string, resource: string) =>
  z.string().regex(new RegExp(`^arn:[a-z-]+:${service}:[^:]*:\\d{12}:${resource}.+$`), {
    error: `is no ARN of ${service}: use arn:aws:${service}:...:${resource}...`,
  });
const roleArn = arn("iam", "role/");
const keyArn = arn("kms", "key/");
const email = z.email({ error: "is no e-mail address" });
const id = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), { error: `is no ID that begins with ${prefix}-` });

/** What the deployment has to know of an environment: its content is registered after the deployment. */
const deployedEnvironment = z.strictObject({
  description: z.string().optional(),
  /** Where the functions' own roles may read Milvus's data, and stage restores, where it says `useIAM: true` and names no role. */
  milvusBuckets: z.array(bucketRoot).default([]),
  /** Where they may read and write backups, likewise. */
  backupBuckets: z.array(bucketRoot).default([]),
  /** Where exports may be written to with those roles. */
  exportBuckets: z.array(bucketRoot).default([]),
  /** Roles the functions may assume, where it says `roleArn`. */
  roleArns: z.array(roleArn).default([]),
  /** Customer-managed keys of its buckets. */
  kmsKeyArns: z.array(keyArn).default([]),
});

/** The longest time an alarm of CloudWatch can look back. */
const longestLookBackSeconds = 7 * 86_400;
const unitSeconds: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** `26h`, `90m`, `2d` in seconds; whole hours where it is more than a day, as CloudWatch counts. */
const duration = z.string().transform((text, context) => {
  const [, value = "", unit = ""] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const seconds = Number(value) * (unitSeconds[unit] ?? Number.NaN);
  if (!(seconds >= 60 && seconds <= longestLookBackSeconds)) {
    context.addIssue(`${JSON.stringify(text)} is no time from 1m to 7d: use a number and m, h or d, such as 26h`);
    return z.NEVER;
  }
  if (seconds > 86_400 && seconds % 3600 !== 0) {
    context.addIssue(`${JSON.stringify(text)} is more than a day: use whole hours or days`);
    return z.NEVER;
  }
  return seconds;
});

const collections = z.array(z.string().check(problem(problemOfSelector))).optional();

const scheduleConfig = z.strictObject({
  name: scheduleName,
  environment: environmentName,
  /** `cron(...)` or `rate(...)`, as EventBridge Scheduler takes it. */
  expression: z.string().check(problem(problemOfScheduleExpression)),
  /** Where the hours of a cron expression and the days of retention are those of; UTC by default. */
  timeZone: z.string().check(problem(problemOfTimeZone)).default("UTC"),
  collections,
  strategy: backupInput.shape.strategy,
  incremental: backupInput.shape.incremental,
  rbac: backupInput.shape.rbac,
  /** How long each of its backups stays locked: `30d`, or `{for: 30d, mode: compliance}`. */
  lock: backupInput.shape.lock,
  enabled: z.boolean().default(true),
  /** Which of its backups are kept; all where absent. */
  keep: keepRules.optional(),
  /** When its newest complete backup is verified, and how much of it is read; never where absent. */
  verify: verifyRule.optional(),
  /** An alarm where it made no backup for so long (needs `alarms`). */
  alarmAfter: duration.optional(),
});
export type ScheduleConfig = z.infer<typeof scheduleConfig>;

const reportConfig = z.strictObject({
  name: scheduleName,
  /** Whose backups it shows; it is written beside them. */
  environment: environmentName,
  /** `cron(...)` or `rate(...)`, as EventBridge Scheduler takes it. */
  expression: z.string().check(problem(problemOfScheduleExpression)),
  timeZone: z.string().check(problem(problemOfTimeZone)).default("UTC"),
  enabled: z.boolean().default(true),
});
export type ReportConfig = z.infer<typeof reportConfig>;

const apiConfig = z.strictObject({
  /** Backed up, restored into, and whose backups are listed and deleted: an API is about one, as `milvus-backup server` is. */
  environment: environmentName,
});

/** In the place of a schedule's name: every backup in the place of an environment. */
export const anySchedule = "any";

const drillConfig = z.strictObject({
  name: scheduleName,
  /** As for schedules. */
  expression: scheduleConfig.shape.expression,
  timeZone: scheduleConfig.shape.timeZone,
  /** The schedule whose backups are drilled, or `any` for all that lie where `from` keeps its backups. */
  of: z.union([z.literal(anySchedule), scheduleName]),
  /** With `of: any`: the environment whose backups are meant; a schedule says it itself. */
  from: environmentName.optional(),
  pick: drillInput.shape.pick,
  /** Restored into, and dropped again. */
  environment: environmentName,
  /** `environment` once more, where that is a protected one. */
  confirm: drillInput.shape.confirm,
  collections,
  enabled: z.boolean().default(true),
  /** An alarm where no drill ended well for so long (needs `alarms`). */
  alarmAfter: duration.optional(),
});
export type DrillConfig = z.infer<typeof drillConfig>;

const restoreTriggerConfig = z.strictObject({
  name: scheduleName,
  /** The bucket with the backups: its own, a replica, or one of `account`. */
  bucket: bucketName,
  /** What the keys of its backups begin with: the root path of the backups. */
  prefix: z
    .string()
    .regex(/^[^/*?][^*?]*$/, { error: "begins with a slash or holds * or ?: name a root path such as backup" })
    .transform((path) => path.replace(/\/+$/, ""))
    .default(""),
  /** The account that forwards its events, where the bucket is another one's. */
  account: z
    .string()
    .regex(/^\d{12}$/, { error: "is no account: use 12 digits in quotes" })
    .optional(),
  /** The region of the bucket, where it is another one than the deployment's. */
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, { error: "is no region: use a name such as eu-west-1" })
    .optional(),
  /** Names of backups; `*` and `?` as in a shell. */
  backups: z.string().min(1).default("*"),
  enabled: z.boolean().default(true),
  /** true: backups of another account are restored whoever wrote them; in place of `signedBy`. */
  unsigned: z.literal(true, { error: "is left out, or true" }).optional(),
  ...triggeredRestore.shape,
  collections,
  renames: triggeredRestore.shape.renames.check(problem(problemOfRenames)),
});
export type RestoreTriggerConfig = z.infer<typeof restoreTriggerConfig>;

/** Batches of one execution that are copied at once, where nothing else is said: what the state machines say themselves. */
export const usualConcurrency = 16;
/** What a map of Step Functions runs at once, of which each copy is an invocation. */
const mostConcurrency = 1_000;
/** Where its bounds were measured: below it the SDKs of the clients alone take most of the memory. */
const [leastMemoryMiB, mostMemoryMiB] = [1_024, 10_240];

const functionConfig = z.strictObject({
  /** MiB; CPU comes with it. */
  memoryMiB: z.number().int().min(leastMemoryMiB).max(mostMemoryMiB).optional(),
  /** Invocations that may run at once, taken out of what the account has for all of its functions. */
  reservedConcurrency: z.number().int().min(1).optional(),
});
export type FunctionConfig = z.infer<typeof functionConfig>;

const networkConfig = z.strictObject({
  vpcId: id("vpc"),
  subnetIds: z.array(id("subnet")).min(1).max(16),
  /** Made where absent, with every way out open. */
  securityGroupIds: z.array(id("sg")).min(1).max(5).optional(),
});
export type NetworkConfig = z.infer<typeof networkConfig>;

const alarmsConfig = z.strictObject({
  emails: z.array(email).default([]),
  /** Customer-managed key of the topic, in place of the deployment's; its policy has to let CloudWatch and EventBridge use it. */
  topicKeyArn: keyArn.optional(),
  dashboard: z.boolean().default(true),
});
export type AlarmsConfig = z.infer<typeof alarmsConfig>;

export const pipelineConfig = z
  .strictObject({
    /** Name of the stack. */
    stack: z.string().optional(),
    /** Days that work files and logs are kept. */
    retentionDays: z.number().int().min(1).optional(),
    environments: z
      .record(
        environmentName,
        z.preprocess((value) => value ?? {}, deployedEnvironment),
      )
      .default({}),
    /** What executions may name; every registered environment where a list is absent. */
    allowedEnvironments: allowedEnvironments.default({}),
    /** An asymmetric KMS key that signs every backup of this deployment. */
    signBackups: signingKeyArn.optional(),
    /** Further keys by which restores started by hand may have signatures verified; those of `signBackups` and of triggers are among them. */
    trustedKeyArns: z.array(signingKeyArn).default([]),
    schedules: z.array(scheduleConfig).default([]),
    drills: z.array(drillConfig).default([]),
    restoreTriggers: z.array(restoreTriggerConfig).default([]),
    /** Pages about all backups of an environment, written into its backup bucket. */
    reports: z.array(reportConfig).default([]),
    /** milvus-backup's REST API, for who is allowed to call it by IAM. */
    api: apiConfig.optional(),
    network: networkConfig.optional(),
    /** Batches of one execution that are copied at once. */
    maxConcurrency: z.number().int().min(1).max(mostConcurrency).default(usualConcurrency),
    /** What single functions get, by their names. */
    functions: z.partialRecord(z.enum(functionNames), functionConfig).default({}),
    /** Customer-managed key of whatever the deployment keeps, where no key below names another. */
    encryptionKeyArn: keyArn.optional(),
    /** Of the work bucket. */
    workBucketKeyArn: keyArn.optional(),
    /** Of the log groups. */
    logsKeyArn: keyArn.optional(),
    /** Of the secrets that registered environments are. */
    environmentsKeyArn: keyArn.optional(),
    alarms: alarmsConfig.optional(),
  })
  .superRefine((config, context) => {
    const known = Object.keys(config.environments);
    const checkEnvironment = (name: string | undefined, path: (string | number)[]) => {
      if (name === undefined || known.includes(name)) return;
      const names = known.length > 0 ? `declared are: ${known.join(", ")}` : "none is declared";
      context.addIssue({ code: "custom", path, message: `names ${name}, which is not under environments; ${names}` });
    };
    const { allowedEnvironments: allowed } = config;
    for (const [use, listed = []] of Object.entries(allowed)) {
      for (const [index, name] of listed.entries()) checkEnvironment(name, ["allowedEnvironments", use, index]);
    }
    const checkUse = (use: EnvironmentUse, name: string | undefined, path: (string | number)[]) => {
      const refused = name === undefined ? undefined : problemOfUse(allowed, use, name);
      if (refused) context.addIssue({ code: "custom", path, message: refused });
    };
    for (const [index, { environment, verify }] of config.schedules.entries()) {
      checkUse("backup", environment, ["schedules", index, "environment"]);
      if (verify !== undefined) checkUse("read", environment, ["schedules", index, "verify"]);
    }
    for (const [index, { of, from }] of config.drills.entries()) {
      const drilled = from === undefined ? config.schedules.find(({ name }) => name === of) : undefined;
      checkUse("read", drilled?.environment, ["drills", index, "of"]);
    }
    for (const list of ["drills", "restoreTriggers"] as const) {
      for (const [index, { environment, from }] of config[list].entries()) {
        checkUse("restore", environment, [list, index, "environment"]);
        if (list === "restoreTriggers" || from)
          checkUse("read", from ?? environment, [list, index, from ? "from" : "environment"]);
      }
    }
    for (const list of ["schedules", "drills", "restoreTriggers", "reports"] as const) {
      const names = config[list].map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        const first = names.indexOf(name);
        if (first === index) continue;
        context.addIssue({
          code: "custom",
          path: [list, index, "name"],
          message: `${name} is there twice (as ${list}[${first}] too)`,
        });
      }
      for (const [index, { environment }] of config[list].entries()) {
        checkEnvironment(environment, [list, index, "environment"]);
      }
    }
    checkEnvironment(config.api?.environment, ["api", "environment"]);
    const reserved = config.functions["copy-segments"]?.reservedConcurrency;
    if (reserved !== undefined && reserved < config.maxConcurrency) {
      const message = `is less than maxConcurrency (${config.maxConcurrency}), which one execution runs at once: the others would be refused and wait`;
      context.addIssue({ code: "custom", path: ["functions", "copy-segments", "reservedConcurrency"], message });
    }
    const names = config.schedules.map(({ name }) => name);
    for (const [index, { name, verify }] of config.schedules.entries()) {
      if (verify === undefined || !names.includes(verifyScheduleName(name))) continue;
      const message = `${name} is verified by a schedule ${verifyScheduleName(name)}, and there is one of that name: rename one of the two`;
      context.addIssue({ code: "custom", path: ["schedules", index, "name"], message });
    }
    for (const [index, trigger] of config.restoreTriggers.entries()) {
      checkEnvironment(trigger.from, ["restoreTriggers", index, "from"]);
      const conflict = restoreConflict(trigger) ?? openDoor(trigger);
      if (conflict) {
        const path = ["restoreTriggers", index, conflict.key];
        context.addIssue({ code: "custom", path, message: conflict.problem });
      }
    }
    for (const [index, drill] of config.drills.entries()) {
      checkEnvironment(drill.from, ["drills", index, "from"]);
      const wrong = problemOfDrill(drill, config.schedules);
      if (wrong) context.addIssue({ code: "custom", path: ["drills", index, wrong.key], message: wrong.problem });
    }
    if (config.alarms === undefined) {
      for (const list of ["schedules", "drills"] as const) {
        for (const [index, { alarmAfter }] of config[list].entries()) {
          if (alarmAfter === undefined) continue;
          const message = "needs the section alarms: nobody would hear of it";
          context.addIssue({ code: "custom", path: [list, index, "alarmAfter"], message });
        }
      }
    }
  });
export type PipelineConfig = z.infer<typeof pipelineConfig>;
/** A `pipeline.yaml` as it is written: what has a default may be left out. */
export type PipelineFile = z.input<typeof pipelineConfig>;

/** What a deployment without `pipeline.yaml` is. */
export const emptyPipeline: PipelineConfig = pipelineConfig.parse({});

/** What a trigger leaves to whoever can put an object into the bucket; undefined where it says enough. */
function openDoor(trigger: RestoreTriggerConfig): { readonly key: string; readonly problem: string } | undefined {
  const { account, dropExisting, collections: named, signedBy, unsigned, rbac } = trigger;
  if (rbac && signedBy === undefined) return { key: "rbac", problem: unsignedRbac };
  const because = account !== undefined ? "account" : dropExisting ? "dropExisting" : undefined;
  if (because !== undefined && (named === undefined || named.length === 0)) {
    return {
      key: "collections",
      problem: `is missing: with ${because} whoever writes into the bucket would choose what is restored; name them (db.* for a database)`,
    };
  }
  if (signedBy !== undefined && unsigned) {
    return { key: "unsigned", problem: "excludes signedBy: one asks for a signature, the other for none" };
  }
  if (account === undefined && unsigned) {
    return { key: "unsigned", problem: "is about backups of another account, and there is no account" };
  }
  if (account !== undefined && signedBy === undefined && !unsigned) {
    return {
      key: "signedBy",
      problem: `is missing: account ${account} could have anything restored; name the KMS key that signs its backups (signBackups there), or write unsigned: true`,
    };
  }
  return undefined;
}

/** Whose backups a drill is about: a schedule of the file, or an environment's. */
function problemOfDrill(
  { name, of, from }: DrillConfig,
  schedules: readonly ScheduleConfig[],
): { readonly key: string; readonly problem: string } | undefined {
  const names = schedules.map((schedule) => schedule.name);
  const taken = [...names, ...schedules.flatMap((it) => (it.verify ? [verifyScheduleName(it.name)] : []))];
  if (taken.includes(name)) {
    return { key: "name", problem: `${name} is the name of a schedule: both become schedules of one group` };
  }
  if (of === anySchedule) {
    return from === undefined
      ? { key: "from", problem: "is missing: of: any needs the environment whose backups are meant" }
      : undefined;
  }
  if (!names.includes(of)) {
    const known = names.length > 0 ? `there is: ${names.join(", ")}` : "there is none";
    return {
      key: "of",
      problem: `names ${of}, which is no schedule of this file (${known}); use one, or any with from`,
    };
  }
  return from === undefined
    ? undefined
    : { key: "from", problem: `goes with of: any; the backups of ${of} lie where its own environment says` };
}

function problemOfSelector(text: string): string | undefined {
  return problemOfInput(() => parseCollectionSelector(text));
}

function problemOfRenames(renames: Renames | undefined): string | undefined {
  return problemOfInput(() => parseRenames(renames ?? {}));
}

/** What the input of an execution would be refused for. */
function problemOfInput(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof PipelineError) return error.message;
    throw error;
  }
}

function problem<T>(of: (value: T) => string | undefined) {
  return (payload: z.core.ParsePayload<T>): void => {
    const message = of(payload.value);
    if (message !== undefined) payload.issues.push({ code: "custom", input: payload.value, message });
  };
}
