import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { CollectionName, Id, ImportRequest, ImportTask, KeyValue } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { aboutCollection } from "./collections.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { submitOverGrpc } from "./grpc-submit.ts";
import { createSeconds, describeConcurrency, type ImportApi, isUnknownJob } from "./imports.ts";

/** `commonpb.ImportState` of a job: those of 2.3's tasks, of which a job has no others. */
const states: Readonly<Record<number, ImportTask["state"]>> = {
  0: "pending",
  1: "failed",
  6: "completed",
  7: "failed",
};

interface JobAnswer {
  readonly state: number;
  readonly row_count: string;
  readonly infos: readonly KeyValue[];
}

/**
 * The import jobs of Milvus 2.4 and newer over gRPC, where its REST interface is out of reach: the calls of 2.3, which the proxy turns into the
 * same jobs. They say less (milvus#38051, #38172): a job takes one pair of directories, and is told by its ID only, without what it reads; a list
 * tells neither IDs nor files, only states.
 */
export function grpcJobs(client: GrpcClient): ImportApi {
  return {
    submit: async (request) =>
      submitOverGrpc(client, request, {
        files: onlyPaths(request, client),
        made: "job",
        timeoutMs: createSeconds * 1000,
      }),

    async list(name, { own }) {
      const described = await settleEach(own, describeConcurrency, (id) => describe(client, name, id));
      const known = described.filter((job) => job !== undefined);
      const answer = await client.call<{ readonly tasks: readonly JobAnswer[] }>(
        "ListImportTasks",
        { collection_name: name.collection },
        aboutCollection(name),
      );
      // the list was asked for behind them: what has ended since makes fewer of them, never more
      const open = answer.tasks.map((job) => readJob("", job)).filter(isOpen);
      const others = open.slice(known.filter(isOpen).length);
      return [...known, ...others.map((job, index) => ({ ...job, id: `${unlisted}${index}` }))];
    },
  };
}

/** In place of an ID. */
const unlisted = "unlisted-";

function isOpen({ state }: ImportTask): boolean {
  return state === "pending" || state === "importing";
}

/** undefined where the server does not know it: it has forgotten it, or (2.6, which makes jobs from its log) does not know it yet. */
async function describe(client: GrpcClient, name: CollectionName, id: Id): Promise<ImportTask | undefined> {
  const about = { ...aboutCollection(name), part: `import job ${id}` };
  try {
    return readJob(id, await client.call<JobAnswer>("GetImportState", { task: id }, about));
  } catch (error) {
    if (isUnknownJob(error)) return undefined;
    throw error;
  }
}

function readJob(id: Id, job: JobAnswer): ImportTask {
  const info = (key: string) => job.infos.find((pair) => pair.key === key)?.value ?? "";
  const state = states[job.state] ?? "importing";
  return {
    id,
    state,
    progress: state === "completed" ? 100 : Number(info("progress_percent")),
    rows: BigInt(job.row_count),
    failedReason: state === "failed" ? info("failed_reason") : "",
    partition: "",
    files: [],
  };
}

/** All paths of a call are one pair to the server: it would read an empty second one as everything that lies in the bucket. */
function onlyPaths({ name, kind, files: [files, ...more] }: ImportRequest, client: GrpcClient): string[] {
  if (!files || more.length > 0) {
    throw new PipelineError(
      "MilvusUnreachable",
      `${qualifiedName(name)}: an import of several pairs of directories was planned for the REST interface of Milvus at ${client.endpoint.address}, ` +
        "which does not answer now, and gRPC takes one pair. See milvus.restAddress and milvus.restPort; the same restore goes on once it answers",
      { details: { address: client.endpoint.address } },
    );
  }
  if (kind === "l0") return [files.delta];
  return files.delta === "" ? [files.insert] : [files.insert, files.delta];
}
