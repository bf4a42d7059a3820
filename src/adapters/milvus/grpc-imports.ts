import { PipelineError } from "../../core/execution/errors.ts";
import type { ImportFiles, ImportRequest, ImportTask, KeyValue } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { aboutCollection } from "./collections.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { submitOverGrpc } from "./grpc-submit.ts";
import type { ImportApi } from "./imports.ts";

/** `commonpb.ImportState` by number: 5 persisted and 8 flushed are stages on the way to completed. */
const states: Readonly<Record<number, ImportTask["state"]>> = {
  0: "pending",
  1: "failed",
  2: "importing",
  5: "importing",
  6: "completed",
  7: "failed",
  8: "importing",
};

interface TaskAnswer {
  readonly id: string;
  readonly state: number;
  readonly row_count: string;
  readonly infos: readonly KeyValue[];
}

/** Imports of Milvus 2.2 and 2.3: one pair of directories a task, one task after another on the server. */
export function grpcImports(client: GrpcClient): ImportApi {
  return {
    submit: async (request) => submitOverGrpc(client, request, { files: onlyPair(request), made: "task" }),

    async list(name, { settled }) {
      const answer = await client.call<{ readonly tasks: readonly TaskAnswer[] }>(
        "ListImportTasks",
        { collection_name: name.collection },
        aboutCollection(name),
      );
      return answer.tasks.filter(({ id }) => !settled.has(id)).map(readTask);
    },
  };
}

function onlyPair(request: ImportRequest): string[] {
  const [files, ...more] = request.files;
  const target = qualifiedName(request.name);
  if (request.kind === "l0") {
    throw new PipelineError(
      "UnsupportedByTarget",
      `${target}: this Milvus cannot import L0 segments, restore into Milvus 2.4 or newer`,
    );
  }
  if (!files || more.length > 0) {
    throw new PipelineError("InvalidInput", `${target}: a gRPC import takes one pair of directories a task`);
  }
  return [files.insert, files.delta];
}

function readTask(task: TaskAnswer): ImportTask {
  const info = (key: string) => task.infos.find((pair) => pair.key === key)?.value ?? "";
  const state = states[task.state] ?? "importing";
  return {
    id: task.id,
    state,
    progress: state === "completed" ? 100 : Number(info("progress_percent")),
    rows: BigInt(task.row_count),
    failedReason: state === "failed" ? info("failed_reason") : "",
    partition: info("partition"),
    files: readFiles(info("files")),
  };
}

/** `<insert dir>,<delta dir>`; without deletes the second is empty. */
function readFiles(text: string): ImportFiles[] {
  if (text === "") return [];
  const [insert = "", delta = ""] = text.split(",");
  return [{ insert, delta }];
}
