import { parseFullMeta } from "../../../src/core/format/meta-files.ts";
import { type FoundObject, getText, listObjects } from "./objects.ts";

const byKey = (one: FoundObject, other: FoundObject) => (one.key < other.key ? -1 : 1);

/**
 * The logs of a backup in bucket-b, in key order: those its meta names (by their keys in Milvus's bucket, below `files`), each in the
 * group of its segment, and those that lie there.
 */
export async function logsOfBackup(name: string): Promise<{ inMeta: FoundObject[]; there: FoundObject[] }> {
  const root = `backup/${name}`;
  const { value } = parseFullMeta(await getText("bucket-b", `${root}/meta/full_meta.json`));
  const inMeta = value.collection_backups
    .flatMap((collection) => collection.partition_backups.flatMap((partition) => partition.segment_backups))
    .flatMap(({ group_id, segment_id, binlogs, deltalogs }) =>
      [...binlogs, ...deltalogs]
        .flatMap((field) => field.binlogs)
        .map(({ log_path, log_size }) => ({
          key: log_path
            .replace(/^files\//, `${root}/binlogs/`)
            .replace(`/${segment_id}/`, `/${group_id}/${segment_id}/`),
          size: Number(log_size),
        })),
    );
  return { inMeta: inMeta.sort(byKey), there: (await listObjects("bucket-b", `${root}/binlogs/`)).sort(byKey) };
}
