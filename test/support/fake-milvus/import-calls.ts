import { defaultDatabase } from "../../../src/core/milvus/names.ts";
import { type CallsOf, collectionName } from "./calls.ts";
import type { FakeImportJob } from "./import-jobs.ts";
import type { KeyValue } from "./records.ts";
import type { Message } from "./refusal.ts";

/** Imports over gRPC: since 2.4 another way to the jobs of the REST interface, and less is told of them. */
export const importCalls: CallsOf = (model) => ({
  Import: async (call) => {
    const { request, database } = call;
    const collection = collectionName(call);
    const pairs = request.options as KeyValue[];
    const options = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
    // all of them are one pair
    const files = [request.files as string[]];
    const partition = String(request.partition_name ?? "");
    const job = await model.jobs.create({ database, collection, partition, files, options });
    return { tasks: [job.jobId] };
  },

  GetImportState: async ({ request }) => taskAnswer(await model.jobs.look(String(request.task))),

  ListImportTasks: async (call) => {
    const name = collectionName(call);
    const jobs = model.jobs.list(name === "" ? undefined : model.collection(call.database || defaultDatabase, name));
    return { tasks: jobs.map((job) => ({ ...taskAnswer(job), row_count: "0" })) };
  },
});

const states = {
  Pending: "ImportPending",
  Importing: "ImportStarted",
  Completed: "ImportCompleted",
  Failed: "ImportFailed",
} as const;

/** Of all that 2.2 and 2.3 told, progress, reason and, of one that is asked for by its ID, rows are left (milvus#38051, #38172). */
function taskAnswer(job: FakeImportJob): Message {
  const infos = { progress_percent: String(progressOf(job)), failed_reason: job.reason };
  return {
    id: "0",
    state: states[job.state],
    row_count: String(job.state === "Completed" ? job.rows : 0),
    infos: Object.entries(infos).map(([key, value]) => ({ key, value })),
  };
}

/** Percent, as `GetJobProgress` of data coord weighs the stages. */
export function progressOf({ state, looking }: FakeImportJob): number {
  if (state === "Importing") return looking ? 10 : 50;
  return state === "Completed" ? 100 : 0;
}
