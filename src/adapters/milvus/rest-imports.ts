import * as z from "zod";
import { settleEach } from "../../core/execution/settle.ts";
import type { CollectionName, ImportFiles, ImportRequest, ImportTask } from "../../core/milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../../core/milvus/names.ts";
import { createSeconds, describeConcurrency, type ImportApi, importOptions, isUnknownJob } from "./imports.ts";
import type { RestClient } from "./rest-client.ts";

/** Numbers of REST answers arrive as decimal strings. */
const count = z.union([z.string(), z.number()]).transform(Number);
const rows = z.union([z.string(), z.number()]).transform((value) => BigInt(value));

const created = z.object({ jobId: z.string() });
const listedJob = z.object({
  jobId: z.string(),
  state: z.string().default(""),
  progress: count.default(0),
  reason: z.string().default(""),
});
const jobList = z.object({ records: z.array(listedJob).default([]) });
type ListedJob = z.infer<typeof listedJob>;
const job = z.object({
  state: z.string(),
  progress: count.default(0),
  importedRows: rows.optional(),
  totalRows: rows.optional(),
  reason: z.string().default(""),
  details: z.array(z.object({ fileName: z.string() })).default([]),
});

/** Uncommitted and Committing (3.0) are stages on the way to Completed. */
const states: Readonly<Record<string, ImportTask["state"]>> = {
  Pending: "pending",
  Completed: "completed",
  Failed: "failed",
};

/** A job that was described while it ran: as the server said it, and what it means. */
interface ToldJob {
  readonly state: string;
  readonly progress: number;
  readonly task: ImportTask;
}

/** Import jobs of Milvus 2.4 and newer. */
export function restImports(client: RestClient): ImportApi {
  /** Hundreds run at once and are looked at many times: one that is listed as it was described has nothing new to tell. */
  const told = new Map<string, ToldJob>();
  const lookAt = async (name: CollectionName, dbName: string, listed: ListedJob, isOwn: boolean) => {
    const { jobId, state, progress } = listed;
    const last = told.get(jobId);
    // Of others the files count, which a job that begins may name in part.
    if (isOwn && last?.state === state && last.progress === progress) return last.task;
    const now = await describe(client, name, dbName, jobId);
    if (now && (now.task.state === "pending" || now.task.state === "importing")) told.set(jobId, now);
    else told.delete(jobId);
    return now?.task;
  };
  return {
    async submit(request) {
      const body = {
        dbName: request.name.database || defaultDatabase,
        collectionName: request.name.collection,
        ...(request.partition ? { partitionName: request.partition } : {}),
        files: request.files.map((files) => requestPaths(request, files)),
        options: importOptions(request),
      };
      const { jobId } = await client.post("/v2/vectordb/jobs/import/create", body, created, {
        subject: qualifiedName(request.name),
        timeoutSeconds: createSeconds,
        secret: request.encryptionKey,
      });
      return jobId;
    },

    async list(name, { own, others, settled }) {
      const dbName = name.database || defaultDatabase;
      const subject = qualifiedName(name);
      const { records } = await client.post(
        "/v2/vectordb/jobs/import/list",
        { dbName, collectionName: name.collection },
        jobList,
        { subject },
      );
      const open = records.filter(({ jobId }) => !settled.has(jobId));
      // what failed is nobody's that is looked for, and its reason matters to its own restore only
      const isLookedAt = ({ jobId, state }: ListedJob) =>
        own.has(jobId) || (others === "files" && states[state] !== "failed");
      const tasks = await settleEach(open, describeConcurrency, async (listed) =>
        isLookedAt(listed) ? lookAt(name, dbName, listed, own.has(listed.jobId)) : asListed(listed),
      );
      return tasks.filter((task) => task !== undefined);
    },
  };
}

function asListed({ jobId, state, progress, reason }: ListedJob): ImportTask {
  const isFailed = states[state] === "failed";
  return {
    id: jobId,
    state: states[state] ?? "importing",
    progress,
    rows: 0n,
    failedReason: isFailed ? reason : "",
    partition: "",
    files: [],
  };
}

/** undefined where the server has forgotten the job since it listed it. */
async function describe(
  client: RestClient,
  name: CollectionName,
  dbName: string,
  jobId: string,
): Promise<ToldJob | undefined> {
  const subject = `import job ${jobId} of ${qualifiedName(name)}`;
  let answer: z.infer<typeof job>;
  try {
    answer = await client.post("/v2/vectordb/jobs/import/describe", { dbName, jobId }, job, { subject });
  } catch (error) {
    if (isUnknownJob(error)) return;
    throw error;
  }
  const state = states[answer.state] ?? "importing";
  const task = {
    id: jobId,
    state,
    progress: answer.progress,
    rows: answer.importedRows ?? (state === "completed" ? (answer.totalRows ?? 0n) : 0n),
    failedReason: state === "failed" ? answer.reason : "",
    // no answer of the REST interface tells it
    partition: "",
    files: submittedDirectories(answer.details.map(({ fileName }) => fileName)),
  };
  return { state: answer.state, progress: answer.progress, task };
}

function requestPaths(request: ImportRequest, { insert, delta }: ImportFiles): string[] {
  if (request.kind === "l0") return [delta];
  return delta === "" ? [insert] : [insert, delta];
}

/**
 * The directories that were submitted, from what describing a job tells: Milvus breaks them up into their segments and names
 * each as Go prints a list, `[<insert dir>/<segment>/ <delta dir>/<segment>/]`, the second only where the segment has deletes.
 * An L0 job keeps its delta directory as it was submitted. A job that waits yet tells nothing: no files.
 */
function submittedDirectories(fileNames: readonly string[]): ImportFiles[] {
  const deltaOf = new Map<string, string>();
  const levelZero: ImportFiles[] = [];
  for (const fileName of fileNames) {
    const [first = "", second = ""] = fileName.replace(/^\[|\]$/g, "").split(" ");
    if (first === "") continue;
    if (second === "" && first.includes("delta_log/")) {
      levelZero.push({ insert: "", delta: asDirectory(first) });
      continue;
    }
    const insert = parentDirectory(first);
    const delta = second === "" ? "" : parentDirectory(second);
    deltaOf.set(insert, deltaOf.get(insert) || delta);
  }
  return [...[...deltaOf].map(([insert, delta]) => ({ insert, delta })), ...levelZero];
}

function asDirectory(path: string): string {
  return path.endsWith("/") ? path : `${path}/`;
}

function parentDirectory(path: string): string {
  return path.replace(/[^/]*\/?$/, "");
}
