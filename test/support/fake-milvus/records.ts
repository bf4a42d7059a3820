import type { Message } from "./refusal.ts";
import type { SchemaMessage } from "./schema.ts";

/** A request as the server got it, whatever it answered. */
export interface JournalEntry {
  readonly via: "gRPC" | "REST" | "management";
  /** `CreateCollection`, `/v2/vectordb/jobs/import/create` */
  readonly name: string;
  /** Of the metadata of a gRPC call. */
  readonly database?: string;
  readonly body: Message;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface FakePartition {
  readonly name: string;
  readonly id: string;
}

/** The logs of one field (or, in storage v2, of one column group), by their IDs. */
export interface FieldLogs {
  readonly fieldID: string;
  readonly logIDs: readonly string[];
}

export interface FakeSegment {
  readonly id: string;
  /** `-1`: deletes of all partitions. */
  readonly partitionId: string;
  readonly rows: bigint;
  readonly level: "L0" | "L1" | "L2";
  readonly state: "Growing" | "Sealed" | "Flushed" | "Flushing" | "Dropped" | "Importing";
  readonly storageVersion: string;
  readonly channel: string;
  readonly insertLogs: readonly FieldLogs[];
  readonly deltaLogs: readonly FieldLogs[];
  readonly isSorted: boolean;
}

interface FakeIndex {
  readonly id: string;
  readonly name: string;
  readonly fieldName: string;
  readonly params: readonly KeyValue[];
}

export interface FakeCollection {
  readonly id: string;
  name: string;
  readonly database: FakeDatabase;
  schema: SchemaMessage;
  readonly shards: number;
  readonly consistencyLevel: unknown;
  properties: KeyValue[];
  readonly createdTimestamp: string;
  readonly channels: readonly string[];
  readonly partitions: FakePartition[];
  readonly indexes: FakeIndex[];
  segments: FakeSegment[];
  /** `all`, or the names of partitions; empty where nothing is loaded. */
  loaded: Set<string>;
}

export interface FakeDatabase {
  readonly name: string;
  readonly id: string;
  readonly createdTimestamp: string;
  properties: KeyValue[];
  readonly collections: Map<string, FakeCollection>;
  /** Alias to the collection that has it. */
  readonly aliases: Map<string, FakeCollection>;
}

/** What a test puts in; everything that is not said is as in a collection that was just made. */
export interface SeededCollection {
  readonly database?: string;
  readonly name: string;
  readonly id?: string;
  /** Fields without IDs get them in order. */
  readonly schema: Message;
  readonly partitions?: readonly (string | FakePartition)[];
  readonly segments?: readonly (Partial<FakeSegment> & Pick<FakeSegment, "id">)[];
  readonly indexes?: readonly Omit<FakeIndex, "id">[];
  readonly properties?: readonly KeyValue[];
  readonly shards?: number;
  readonly consistencyLevel?: number;
  readonly aliases?: readonly string[];
  /** true: the whole collection. */
  readonly loaded?: boolean | readonly string[];
  /** `_default_0` ... where it has a partition key. */
  readonly partitionCount?: number;
}
