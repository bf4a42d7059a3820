import type { CopiedLog, CopyPrefix } from "../../core/execution/copy-plan.ts";
import { settleAll } from "../../core/execution/settle.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { findProblem, relativePath, selectObjects } from "./check-segment.ts";

/** After so many keys that nobody asked for a listing begins anew behind them. */
const straysBeforeJump = 2_000;

interface StoredOptions {
  readonly source: ObjectStore;
  readonly destination: ObjectStore;
  readonly checkLogCounts: boolean;
}

/**
 * Takes out of copies what an incremental backup's store holds already, by listings of whole partitions at both sides: of a segment whose
 * insert logs all lie there with their sizes and ETags nothing is copied but its deletes. Whatever such a listing does not settle is left
 * to the copy, which looks closer.
 * @param segments those of a partition one after another, best in the order of their keys: others cost a listing each
 */
export async function* withoutStored(
  segments: Iterable<SizedSegment> | AsyncIterable<SizedSegment>,
  options: StoredOptions,
): AsyncGenerator<SizedSegment> {
  let directory: PartitionListings | undefined;
  for await (const sized of segments) {
    const { segment } = sized;
    const prefix = segment.prefixes.find(({ kind, shared }) => kind === "insert" && shared === true);
    if (prefix === undefined) {
      yield sized;
      continue;
    }
    const partition = `insert_log/${segment.collectionId}/${segment.partitionId}/`;
    if (directory?.partition !== partition) directory = new PartitionListings(options, prefix, partition);
    const stored = await directory.storedLogs(sized, prefix, options.checkLogCounts);
    if (stored === undefined) {
      yield sized;
      continue;
    }
    const rest = segment.prefixes.filter((other) => other !== prefix && !copiesNothing(other));
    // with its bytes all the same: a step that runs again makes the same batches, whatever is stored by then
    yield { segment: { ...segment, prefixes: rest, stored }, bytes: sized.bytes };
  }
}

/** A segment without deletes of its own: what is to be copied is known by name, and is nothing. */
function copiesNothing({ only, expect }: CopyPrefix): boolean {
  return only?.length === 0 && expect === undefined;
}

/** One partition at both sides. */
class PartitionListings {
  readonly partition: string;
  readonly #from: OrderedListing;
  readonly #to: OrderedListing;

  constructor({ source, destination }: StoredOptions, { from, to }: CopyPrefix, partition: string) {
    this.partition = partition;
    this.#from = new OrderedListing(source, upTo(from, partition));
    this.#to = new OrderedListing(destination, upTo(to, partition));
  }

  /** The insert logs of a segment as they are stored; undefined where not all of them are, or that cannot be told. */
  async storedLogs(
    { segment }: SizedSegment,
    prefix: CopyPrefix,
    checkLogCounts: boolean,
  ): Promise<CopiedLog[] | undefined> {
    const [listed, present] = await settleAll([this.#from.below(prefix.from), this.#to.below(prefix.to)]);
    if (present.length === 0) return undefined;
    const selected = selectObjects(prefix, listed);
    if (findProblem({ ...segment, prefixes: [prefix] }, [selected], { checkLogCounts }) !== undefined) return undefined;
    const stored = new Map(present.map((object) => [object.key, object]));
    const logs: CopiedLog[] = [];
    for (const { key: from, size, etag } of selected.objects) {
      const there = stored.get(prefix.to + relativePath(prefix, from));
      if (there === undefined || there.size !== size || there.etag !== etag || etag === "") return undefined;
      const checksum = md5Of(etag);
      logs.push({ from, key: there.key, size, etag, ...(checksum && { checksum }), there: true });
    }
    return logs;
  }
}

/** Two stores that say the same plain MD5 keep the same content. */
function md5Of(etag: string): string | undefined {
  return /^[0-9a-f]{32}$/.test(etag) ? `md5:${etag}` : undefined;
}

function upTo(key: string, partition: string): string {
  return key.slice(0, key.indexOf(partition) + partition.length);
}

/** The objects of a directory, in key order, asked for by prefixes in key order: one listing answers for many of them. */
class OrderedListing {
  readonly #store: ObjectStore;
  readonly #directory: string;
  #objects: AsyncIterator<ObjectSummary> | undefined;
  #next: ObjectSummary | undefined;
  #last = "";

  constructor(store: ObjectStore, directory: string) {
    this.#store = store;
    this.#directory = directory;
  }

  async below(prefix: string): Promise<ObjectSummary[]> {
    const found: ObjectSummary[] = [];
    if (prefix < this.#last) {
      for await (const object of this.#store.list(prefix)) found.push(object);
      return found;
    }
    this.#last = prefix;
    if (this.#objects === undefined) await this.#begin(prefix);
    for (let strays = 0; this.#next !== undefined && this.#next.key < prefix; strays += 1) {
      if (strays === straysBeforeJump) await this.#begin(prefix);
      else await this.#read();
    }
    while (this.#next?.key.startsWith(prefix)) {
      found.push(this.#next);
      await this.#read();
    }
    return found;
  }

  async #begin(prefix: string): Promise<void> {
    await this.#objects?.return?.();
    this.#objects = this.#store.list(this.#directory, { startAfter: prefix })[Symbol.asyncIterator]();
    await this.#read();
  }

  async #read(): Promise<void> {
    const { done, value } = (await this.#objects?.next()) ?? { done: true, value: undefined };
    this.#next = done ? undefined : value;
  }
}
