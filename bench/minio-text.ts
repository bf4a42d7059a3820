import prettyBytes from "pretty-bytes";
import { textTable } from "../measure/text-table.ts";
import { seconds } from "../measure/times-table.ts";
import type { MinioResult } from "./minio.ts";
import { machineText } from "./options.ts";

/** Backups, restores and transfers on MinIO, as tables. */
export function minioText(result: MinioResult): string {
  const { machine, runs, creates, restore, rivalRestore, transfers, memory } = result;
  const ratio = (other: number | undefined, own: number) =>
    other === undefined ? ["-", "-"] : [seconds(other), (other / own).toFixed(2)];
  const tool = textTable(
    ["on MinIO", "the execution", "the command", "the Go tool", "times as fast"],
    [
      ...creates.map(({ collection, create, rival }) => [
        `create, ${collection.segments} segments`,
        seconds(create.times.milliseconds),
        seconds(create.commandMilliseconds),
        ...ratio(rival, create.commandMilliseconds),
      ]),
      [
        `restore, ${restore.segments} segments`,
        seconds(restore.times.milliseconds),
        seconds(restore.commandMilliseconds),
        ...ratio(rivalRestore, restore.commandMilliseconds),
      ],
    ],
  );
  const transfer = textTable(
    ["from MinIO to MinIO", "the execution", "the command", "mc cp --recursive", "times as fast"],
    transfers.map(({ backup, copy, mc }) => [
      `${backup.objects.toLocaleString("en-US")} objects of ${prettyBytes(backup.objectSize, { binary: true })}`,
      seconds(copy.times.milliseconds),
      seconds(copy.commandMilliseconds),
      ...ratio(mc, copy.commandMilliseconds),
    ]),
  );
  const peaks = textTable(
    ["function", "most memory of a process"],
    memory.map(({ name, peakBytes }) => [name, prettyBytes(peakBytes, { binary: true })]),
  );
  return [`${machineText(machine)}; medians of ${runs} warm runs`, tool, transfer, peaks].join("\n\n");
}
