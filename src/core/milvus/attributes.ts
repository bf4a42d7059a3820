/** A 64-bit Milvus ID in decimal. Never a JavaScript number: IDs are above 2^53. */
export type Id = string;

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** The kinds of values that attributes hold, as they are described; a record of the format and the wire spell some of them differently. */
export interface Kinds {
  id: Id;
  ids: readonly Id[];
  text: string;
  texts: readonly string[];
  flag: boolean;
  /** A count, or an enum by Milvus's number. */
  number: number;
  /** Milvus's number of a data type; 0 for none. */
  dataType: number;
  keyValues: readonly KeyValue[];
  /** base64 of the protobuf `schemapb.ValueField`; "" for none. */
  valueField: string;
}
export type Kind = keyof Kinds;

/** One attribute of a part of a schema: what it holds, and where it stands under which name. */
interface Attribute {
  readonly kind: Kind;
  /** Its name in Milvus's protobuf. */
  readonly wire: string;
  /** Its name in the record of the format; null where the format has no place for it, so that a restore does not bring it back. */
  readonly meta: string | null;
  /** false where Milvus gives it out itself, so that no request has it. */
  readonly sent?: false;
  /** What it is called where it keeps binlogs from being imported; absent where a difference does not matter. */
  readonly trait?: string;
}
export type Attributes = Readonly<Record<string, Attribute>>;

/** What Milvus says of a thing, by the thing's table. */
export type DescriptionOf<T extends Attributes> = { readonly [K in keyof T]: Kinds[T[K]["kind"]] };

/** How each kind of value is read from and written to another place than a description. */
type Spelling<Other extends Record<Kind, unknown>> = {
  readonly [K in Kind]: { read(value: Other[K]): Kinds[K]; write(value: Kinds[K]): Other[K] };
};

/** Where attributes stand under names of its own: a record, an answer, a request. */
export interface Place<Other extends Record<Kind, unknown>> {
  /** null for an attribute that has no place there. */
  nameOf(attribute: Attribute): string | null;
  readonly spelling: Spelling<Other>;
}

/** For kinds that are the same everywhere. */
export const asDescribed = { read: <V>(value: V): V => value, write: <V>(value: V): V => value };

/** A description from what stands in a place; what has no place there is zero. */
export function readAttributes<T extends Attributes, Other extends Record<Kind, unknown>>(
  table: T,
  place: Place<Other>,
  source: Readonly<Record<string, unknown>>,
): DescriptionOf<T> {
  const read = <K extends Kind>(kind: K, value: Other[K]) => place.spelling[kind].read(value);
  const entries = Object.entries(table).map(([key, attribute]) => {
    const name = place.nameOf(attribute);
    // the table says of what kind the value of that name is
    return [key, name === null ? zeros[attribute.kind] : read(attribute.kind, source[name] as Other[Kind])];
  });
  // the table has every property of the description, so the object does
  return Object.fromEntries(entries) as DescriptionOf<T>;
}

/** A description as it stands in a place, without what has no place there. */
export function writeAttributes<T extends Attributes, Other extends Record<Kind, unknown>>(
  table: T,
  place: Place<Other>,
  description: DescriptionOf<T>,
): Record<string, Other[Kind]> {
  const write = <K extends Kind>(kind: K, value: Kinds[K]) => place.spelling[kind].write(value);
  const entries = Object.entries(table).flatMap(([key, attribute]) => {
    const name = place.nameOf(attribute);
    return name === null ? [] : [[name, write(attribute.kind, description[key] as Kinds[Kind])] as const];
  });
  return Object.fromEntries(entries);
}

/** Whether a value of a message says anything: protobuf fills in zeros for what is absent. */
export function isNonZero(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 0) return false;
  if (typeof value === "string") return value !== "" && value !== "0";
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length > 0;
  return typeof value !== "object" || Object.values(value).some(isNonZero);
}

const zeros: Kinds = {
  id: "0",
  ids: [],
  text: "",
  texts: [],
  flag: false,
  number: 0,
  dataType: 0,
  keyValues: [],
  valueField: "",
};

/** The kinds as the format's records hold them. */
interface RecordKinds {
  id: bigint;
  ids: bigint[];
  text: string;
  texts: string[];
  flag: boolean;
  number: number;
  dataType: number;
  keyValues: KeyValue[];
  valueField: string;
}

/** What a table puts into a record of the format. */
type RecordOf<T extends Attributes> = {
  [K in keyof T as T[K]["meta"] extends string ? T[K]["meta"] : never]: RecordKinds[T[K]["kind"]];
};

const copied = { read: <V>(values: readonly V[]) => values, write: <V>(values: readonly V[]) => [...values] };

const record: Place<RecordKinds> = {
  nameOf: ({ meta }) => meta,
  spelling: {
    id: { read: String, write: BigInt },
    ids: { read: (ids) => ids.map(String), write: (ids) => ids.map(BigInt) },
    text: asDescribed,
    texts: copied,
    flag: asDescribed,
    number: asDescribed,
    dataType: asDescribed,
    keyValues: copied,
    valueField: asDescribed,
  },
};

/** The properties of a record that a description fills. */
export function toRecord<T extends Attributes>(table: T, description: DescriptionOf<T>): RecordOf<T> {
  return writeAttributes(table, record, description) as RecordOf<T>;
}

/** The description that a record gives; what the format has no place for is zero. */
export function fromRecord<T extends Attributes>(table: T, values: RecordOf<T>): DescriptionOf<T> {
  return readAttributes(table, record, values);
}
