import * as z from "zod";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { readWorkJsonIfThere, type WorkFiles, writeWorkJson } from "../shared/work-files.ts";

const noted = z.object({ position: z.string().nullable(), warning: z.string().optional() });

/**
 * From where CDC of Milvus 2.5 goes on behind a restore of this backup. Asked for once an execution, and before the first collection is looked at: what
 * happens later is replicated again, and nothing is left out. It never fails a backup.
 */
export async function noteRpcChannel(
  milvus: Milvus,
  name: string,
  { context, layout }: WorkFiles,
): Promise<Pick<BackupPlan, "rpcChannel"> & { readonly warning?: string | undefined }> {
  const kept = await readWorkJsonIfThere(context, layout.rpcChannel, noted);
  const { position, warning } = kept ?? (await ask(milvus, name));
  if (!kept) await writeWorkJson(context, layout.rpcChannel, { position, warning });
  return { ...(position !== null && { rpcChannel: { name, position } }), warning };
}

async function ask(milvus: Milvus, name: string): Promise<z.infer<typeof noted>> {
  try {
    return { position: (await milvus.rpcChannelPosition(name)) ?? null };
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name === "MilvusUnreachable") throw error;
    return {
      position: null,
      warning:
        `the position of the channel ${name} (milvus.rpcChannelName) could not be read: CDC that goes on behind a restore of this backup may leave something ` +
        `out: ${messageOf(error)}`,
    };
  }
}
