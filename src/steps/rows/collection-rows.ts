import { primaryKeyOf, type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import { isReadable } from "../../core/binlog/values.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { allPartitions } from "../../core/format/layout.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import type { CollectionOutline } from "../../core/format/outline.ts";
import { checkNotEncrypted } from "../../core/milvus/encryption.ts";
import type { Instant } from "../../core/milvus/instant.ts";
import { parseQualifiedName, qualifiedName } from "../../core/milvus/names.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { checkEverySelectorFinds } from "../shared/select-collections.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { addDeletes, Deletes, type DeltaSource } from "./deletes.ts";
import { type RowSelection, type StoredRow, segmentRows } from "./segment-rows.ts";

/** A row with where it is stored. */
export interface CollectionRow extends StoredRow {
  /** Name of its partition. */
  readonly partition: string;
}

/** Which rows of a collection are wanted. */
export interface CollectionSelection extends RowSelection {
  /** Names; all where absent. */
  readonly partitions?: readonly string[] | undefined;
  /** How many rows will be taken: what comes behind is not fetched. */
  readonly limit?: number;
  /** IDs of the segments to look into; all where absent. */
  readonly segments?: ReadonlySet<string>;
  /** How many rows of each segment will be taken. */
  readonly perSegment?: number;
}

/**
 * The rows of one collection as a backup holds them: deletes applied, and where the backup knows its instant, nothing later than that. Read
 * straight from the binlogs, one segment after the other; the metas are streamed.
 */
export class CollectionRows {
  /** `db.coll` */
  readonly name: string;
  readonly fields: readonly RowField[];
  readonly primaryKey: RowField;
  /** Where the collection was cut; undefined in a backup that does not know (another tool's): then all of it counts. */
  readonly instant: Instant | undefined;
  readonly #stored: StoredBackup;
  readonly #payloads: PayloadReader;
  readonly #metas: StreamedMetas;
  readonly #index: number;
  readonly #collection: CollectionOutline;

  private constructor(
    stored: StoredBackup,
    payloads: PayloadReader,
    metas: StreamedMetas,
    found: { index: number; collection: CollectionOutline; instant: Instant | undefined },
  ) {
    const { collection } = found;
    this.#stored = stored;
    this.#payloads = payloads;
    this.#metas = metas;
    this.#index = found.index;
    this.#collection = collection;
    this.name = qualifiedName({ database: collection.db_name, collection: collection.collection_name });
    this.fields = rowFields(collection.schema);
    this.primaryKey = primaryKeyOf(this.fields);
    this.instant = found.instant;
  }

  /**
   * Finds a collection in a backup.
   * @param collection `coll` or `db.coll`
   * @returns the rows, and warnings about the metas
   * @throws BackupNotFound, CollectionNotFound that names what there is, CorruptBackup, UnsupportedData of an encrypted database, and what the store throws
   */
  static async open(
    stored: StoredBackup,
    payloads: PayloadReader,
    collection: string,
  ): Promise<{ rows: CollectionRows; warnings: readonly string[] }> {
    const { collections, warnings } = await CollectionRows.openEach(stored, payloads, [collection]);
    const [rows] = collections;
    if (rows === undefined) throw new RangeError(`no collection ${collection}`);
    return { rows, warnings };
  }

  /** The same for several collections, whose metas are read once; in their order. */
  static async openEach(
    stored: StoredBackup,
    payloads: PayloadReader,
    wanted: readonly string[],
  ): Promise<{ collections: CollectionRows[]; warnings: readonly string[] }> {
    const selectors = wanted.map(parseQualifiedName);
    const metas = await stored.streamMetas();
    const { backup, warnings } = await metas.outline();
    const names = backup.collection_backups.map(({ db_name, collection_name }) =>
      parseQualifiedName(qualifiedName({ database: db_name, collection: collection_name })),
    );
    checkEverySelectorFinds(selectors, names, `in backup ${stored.name} in ${stored.place}`);
    const indexes = new Map(names.map((name, index) => [qualifiedName(name), index]));
    const instants = await stored.readInstants(backup.id);
    const collections = selectors.map((name) => {
      const index = indexes.get(qualifiedName(name)) ?? -1;
      const found = backup.collection_backups[index];
      if (found === undefined) throw new RangeError(`no collection ${index}`);
      checkNotEncrypted(backup, found);
      const instant = instants.get(found.collection_id.toString())?.instant;
      return new CollectionRows(stored, payloads, metas, { index, collection: found, instant });
    });
    return { collections, warnings };
  }

  /** Fields whose type is not known here: their values are in the backup, and cannot be shown. */
  get unreadable(): readonly RowField[] {
    return this.fields.filter((field) => !isReadable(field));
  }

  /** Names of the partitions. */
  get partitions(): readonly string[] {
    return this.#collection.partition_backups.map(({ partition_name }) => partition_name);
  }

  /** How many rows its segments hold, deleted ones and those of after the instant included. */
  get storedRows(): number {
    const segments = segmentsOf(this.#collection).filter(({ is_l0 }) => !is_l0);
    return segments.reduce((sum, { num_of_rows }) => sum + Number(num_of_rows), 0);
  }

  /** Its segments with rows, deleted ones included, and the names of their partitions. */
  get segments(): { readonly id: string; readonly partition: string; readonly rows: number }[] {
    return this.#collection.partition_backups.flatMap(({ partition_name: partition, segment_backups }) =>
      segment_backups.flatMap(({ segment_id, num_of_rows, is_l0 }) =>
        is_l0 ? [] : [{ id: segment_id.toString(), partition, rows: Number(num_of_rows) }],
      ),
    );
  }

  /** Whether it has L0 segments (2.4+), whose deletes take rows away as they are read; those beside a segment go with its import. */
  get hasLevelZero(): boolean {
    return segmentsOf(this.#collection).some(({ is_l0 }) => is_l0);
  }

  /**
   * The living rows, in the order in which the backup has them.
   * @throws InvalidInput for a partition that is not there; as `segmentRows` does; CopyMismatch where the backup is replaced meanwhile
   */
  async *rows(selection: CollectionSelection): AsyncGenerator<CollectionRow> {
    const { partitions, limit, segments, perSegment = Number.POSITIVE_INFINITY } = selection;
    this.#checkPartitions(partitions ?? []);
    const source: DeltaSource = {
      store: this.#stored.store,
      layout: this.#stored.layout,
      payloads: this.#payloads,
      primaryKey: this.primaryKey,
      until: this.instant && BigInt(this.instant.timestamp),
    };
    const isWanted = (partition: string | undefined) =>
      partitions === undefined || (partition !== undefined && partitions.includes(partition));
    const levelZero = await this.#levelZeroDeletes(source, isWanted);
    let left = limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for await (const { segment, collection, partition: at } of this.#metas.segments()) {
      const partition = at === undefined ? undefined : this.partitions[at];
      if (collection !== this.#index || segment.is_l0 || partition === undefined || !isWanted(partition)) continue;
      if (segment.binlogs.length === 0) continue;
      if (segments !== undefined && !segments.has(segment.segment_id.toString())) continue;
      const own = new Deletes();
      await addDeletes(own, segment, source);
      const deletes = [own, ...[levelZero.get(segment.partition_id.toString()), levelZero.get(allPartitions)]];
      const known = { ...source, deletes: deletes.filter((one) => one !== undefined) };
      for await (const row of segmentRows(segment, known, selection, Math.min(left, perSegment))) {
        yield { ...row, partition };
        left -= 1;
        if (left <= 0) return;
      }
    }
  }

  /** The deletes of L0 segments (2.4+) by the ID of their partition; held while the rows are read. */
  async #levelZeroDeletes(
    source: DeltaSource,
    isWanted: (partition: string | undefined) => boolean,
  ): Promise<Map<string, Deletes>> {
    const found = new Map<string, Deletes>();
    if (!this.hasLevelZero) return found;
    for await (const { segment, collection, partition } of this.#metas.segments()) {
      if (collection !== this.#index || !segment.is_l0) continue;
      if (partition !== undefined && !isWanted(this.partitions[partition])) continue;
      const of = segment.partition_id.toString();
      const deletes = found.get(of) ?? new Deletes();
      found.set(of, deletes);
      await addDeletes(deletes, segment, source);
    }
    return found;
  }

  #checkPartitions(names: readonly string[]): void {
    const missing = names.filter((name) => !this.partitions.includes(name));
    if (missing.length === 0) return;
    const there = shortList(this.partitions, { limit: 20 });
    throw new PipelineError(
      "InvalidInput",
      `${this.name} has no partition ${shortList(missing)} in backup ${this.#stored.name}; there is: ${there}`,
      { details: { key: "partitions" } },
    );
  }
}
