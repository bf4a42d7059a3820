import * as z from "zod";

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
export type Settings = z.infer<typeof settingsSchema>;

/**
 * Reads the settings from the CDK context; the stack's name also from MILVUS_BACKUP_STACK. Throws an Error that names the key.
 * @param context gives the value of a key, undefined where there is none
 */
export function readSettings(
  context: (key: string) => unknown,
  environment: Readonly<Record<string, string | undefined>> = {},
): Settings {
  const given = Object.fromEntries(Object.keys(settingsSchema.shape).map((key) => [key, context(key)]));
  const parsed = settingsSchema.safeParse({ ...given, stack: given.stack ?? environment.MILVUS_BACKUP_STACK });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `context key ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(problems.join("; "));
}
