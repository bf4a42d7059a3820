import * as z from "zod";
import { bucketRoot, insteadOfDataBuckets } from "../src/core/deployment/bucket-root.ts";
import { emptyPipeline, type PipelineConfig } from "../src/core/deployment/config.ts";
import type { DataRoots } from "./permissions.ts";

/** A list in cdk.json, or text with commas on the command line (`-c backupBuckets=bucket-a/backup,bucket-b/backup`). */
const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").map((text) => text.trim()) : value),
    z.array(item),
  );

const settingsSchema = z.object({
  /** Names the stack, its functions and machines, and the place of the environments' secrets. */
  stack: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, "use a letter, then up to 39 letters, digits and -")
    .default("MilvusBackup"),
  /** Where the functions' own roles may read Milvus's data, for environments with `useIAM: true`; others bring keys or a role. */
  milvusBuckets: listOf(bucketRoot).default([]),
  /** Where they may read and write backups, likewise. */
  backupBuckets: listOf(bucketRoot).default([]),
  /** Where exports may be written to with those roles. */
  exportBuckets: listOf(bucketRoot).default([]),
  /** Roles that the functions may assume, for environments with a `roleArn`. */
  assumableRoles: listOf(z.string().min(1)).default([]),
  /** What executions leave in the work bucket, and log lines, are kept so long. */
  retentionDays: z.coerce.number().int().min(1).default(30),
});

/** What the functions' own roles may use of the data. */
export interface DataSettings extends DataRoots {
  /** Roles they may assume. */
  readonly assumableRoles: readonly string[];
  /** Customer-managed keys of the buckets. */
  readonly dataKeys: readonly string[];
}

/** What can be chosen when the pipeline is deployed. */
export interface Settings extends Pick<z.infer<typeof settingsSchema>, "stack" | "retentionDays"> {
  /** Said for every environment, beside what the file says for each. */
  readonly data: DataSettings;
  /** The deploy-time file. */
  readonly pipeline: PipelineConfig;
}

/**
 * Reads the settings from the CDK context and `pipeline.yaml`. A value in the context (`-c`) wins over the file's, lists of both are taken
 * together; the stack's name comes also from MILVUS_BACKUP_STACK, before the file's.
 * @param context gives the value of a key, undefined where there is none
 * @param readFile reads the deploy-time file from the path that the context key `pipeline` gives
 * @throws an Error that names the key
 */
export function readSettings(
  context: (key: string) => unknown,
  environment: Readonly<Record<string, string | undefined>> = {},
  readFile: (named: string | undefined) => PipelineConfig = () => emptyPipeline,
): Settings {
  const file = context("pipeline");
  if (file !== undefined && typeof file !== "string")
    throw new Error("context key pipeline: must be the path of a file");
  if (context("dataBuckets") !== undefined) throw new Error(`context key dataBuckets ${insteadOfDataBuckets}`);
  const pipeline = readFile(file);
  const given = Object.fromEntries(Object.keys(settingsSchema.shape).map((key) => [key, context(key)]));
  return settingsOf(
    { ...given, stack: given.stack ?? environment.MILVUS_BACKUP_STACK },
    pipeline,
    (key) => `context key ${key}`,
  );
}

/**
 * The settings of a deployment: what is given wins over the file's.
 * @param called how a message calls a key
 * @throws an Error that names the key
 */
export function settingsOf(
  given: Readonly<Partial<Record<keyof z.input<typeof settingsSchema>, unknown>>>,
  pipeline: PipelineConfig,
  called: (key: string) => string,
): Settings {
  const parsed = settingsSchema.safeParse({
    ...given,
    stack: given.stack ?? pipeline.stack,
    retentionDays: given.retentionDays ?? pipeline.retentionDays,
  });
  if (!parsed.success) {
    throw new Error(parsed.error.issues.map((issue) => `${called(issue.path.join("."))}: ${issue.message}`).join("; "));
  }
  const { stack, retentionDays, ...data } = parsed.data;
  return { stack, retentionDays, data: { ...data, dataKeys: [] }, pipeline };
}

/**
 * What may be used of the data of some environments: what is said for every one, and for each of them.
 * @param names all of the file where absent
 */
export function dataOf({ data, pipeline }: Settings, names?: readonly string[]): DataSettings {
  const environments = Object.entries(pipeline.environments)
    .filter(([name]) => names?.includes(name) ?? true)
    .map(([, environment]) => environment);
  return {
    milvusBuckets: union(data.milvusBuckets, ...environments.map((it) => it.milvusBuckets)),
    backupBuckets: union(data.backupBuckets, ...environments.map((it) => it.backupBuckets)),
    exportBuckets: union(data.exportBuckets, ...environments.map((it) => it.exportBuckets)),
    assumableRoles: union(data.assumableRoles, ...environments.map((it) => it.roleArns)),
    dataKeys: union(data.dataKeys, ...environments.map((it) => it.kmsKeyArns)),
  };
}

/** Each once, by what it says. */
function union<T>(...lists: readonly (readonly T[])[]): T[] {
  return [...new Map(lists.flat().map((item) => [JSON.stringify(item), item])).values()];
}
