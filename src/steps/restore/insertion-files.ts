import * as z from "zod";
import { type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import { type CopySegment, copySegment } from "../../core/execution/copy-plan.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { CollectionSchema } from "../../core/format/meta.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJson, writeWorkJson } from "../shared/work-files.ts";

const writeConcurrency = 8;

/** A field of a collection whose rows are inserted. The dynamic one alone may have no value: such types are not inserted otherwise. */
const insertedField = z.object({
  id: z.string().transform(BigInt),
  name: z.string(),
  type: z.string(),
  elementType: z.string().optional(),
  dataType: z.number(),
  dim: z.number().optional(),
  isPrimaryKey: z.boolean(),
  isDynamic: z.boolean(),
});

const insertionFile = z.object({
  fields: z.array(insertedField),
  /** Name of the field by which Milvus chooses the partition of a row. */
  partitionKey: z.string().optional(),
  partitions: z.array(z.object({ partition: z.string(), segments: z.array(copySegment) })),
});

/** What is read of the small partitions of a collection, and what their rows consist of. */
export interface Insertion {
  readonly fields: readonly RowField[];
  readonly partitionKey: RowField | undefined;
  /** By name. */
  readonly segmentsOf: ReadonlyMap<string, readonly CopySegment[]>;
}

/** What is inserted, collected as the segments of a backup pass by. */
export class Insertions {
  readonly #partitions = new Map<number, Map<string, CopySegment[]>>();

  note({ inserted, segment }: SizedSegment): void {
    if (inserted === undefined) return;
    const partitions = this.#partitions.get(inserted.as) ?? new Map<string, CopySegment[]>();
    this.#partitions.set(inserted.as, partitions);
    const segments = partitions.get(inserted.partition) ?? [];
    partitions.set(inserted.partition, segments);
    segments.push(segment);
  }

  /** @param schemas of the collections, by where they are written down */
  async write(context: StepContext, layout: WorkLayout, schemas: ReadonlyMap<number, CollectionSchema>): Promise<void> {
    await settleEach(this.#partitions, writeConcurrency, async ([as, partitions]) => {
      const schema = schemas.get(as);
      if (schema === undefined) throw new Error(`no collection for the rows of insertion ${as}`);
      const partitionKey = schema.fields.find(({ is_partition_key }) => is_partition_key)?.name;
      const file: z.input<typeof insertionFile> = {
        fields: rowFields(schema).map(({ id, absent: _, ...field }) => ({ ...field, id: id.toString() })),
        ...(partitionKey !== undefined && { partitionKey }),
        partitions: [...partitions].map(([partition, segments]) => ({ partition, segments })),
      };
      await writeWorkJson(context, layout.insertion(as), file);
    });
  }
}

export async function readInsertion(context: StepContext, layout: WorkLayout, as: number): Promise<Insertion> {
  const file = await readWorkJson(context, layout.insertion(as), insertionFile);
  const fields = file.fields.map(({ elementType, dim, ...field }): RowField => {
    return {
      ...field,
      ...(elementType !== undefined && { elementType }),
      ...(dim !== undefined && { dim }),
      absent: field.isDynamic ? null : undefined,
    };
  });
  return {
    fields,
    partitionKey: fields.find(({ name }) => name === file.partitionKey),
    segmentsOf: new Map(file.partitions.map(({ partition, segments }) => [partition, segments])),
  };
}
