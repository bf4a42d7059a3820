import * as z from "zod";
import { emptyPipeline, type PipelineConfig } from "../src/core/deployment/config.ts";

/** A list in cdk.json, or text with commas on the command line (`-c dataBuckets=bucket-a,bucket-b`). */
const list = z.preprocess(
  (value) => (typeof value === "string" ? value.split(",").map((item) => item.trim()) : value),
  z.array(z.string().min(1)),
);

const settingsSchema = z.object({
  /** Names the stack, its functions and machines, and the place of the environments' secrets. */
  stack: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, "use a letter, then up to 39 letters, digits and -")
    .default("MilvusBackup"),
  /** Buckets that the functions' own roles may use, for environments with `useIAM: true`; others bring keys or a role. */
  dataBuckets: list.default([]),
  /** Roles that the functions may assume, for environments with a `roleArn`. */
  assumableRoles: list.default([]),
  /** What executions leave in the work bucket, and log lines, are kept so long. */
  retentionDays: z.coerce.number().int().min(1).default(30),
});

/** What can be chosen when the pipeline is deployed. */
export interface Settings extends z.infer<typeof settingsSchema> {
  /** Customer-managed keys of the data buckets. */
  readonly dataKeys: readonly string[];
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
  const pipeline = readFile(file);
  const given = Object.fromEntries(Object.keys(settingsSchema.shape).map((key) => [key, context(key)]));
  return settingsOf(
    { ...given, stack: given.stack ?? environment.MILVUS_BACKUP_STACK },
    pipeline,
    (key) => `context key ${key}`,
  );
}

/**
 * The settings of a deployment: what is given wins over the file's, lists of both are taken together.
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
  const environments = Object.values(pipeline.environments);
  return {
    ...parsed.data,
    dataBuckets: union(
      parsed.data.dataBuckets,
      environments.flatMap(({ dataBuckets }) => dataBuckets),
    ),
    assumableRoles: union(
      parsed.data.assumableRoles,
      environments.flatMap(({ roleArns }) => roleArns),
    ),
    dataKeys: union(environments.flatMap(({ kmsKeyArns }) => kmsKeyArns)),
    pipeline,
  };
}

function union(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}
