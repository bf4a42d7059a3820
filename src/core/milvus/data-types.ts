/** Milvus's data types by their numbers in its API and in backups, with the release that brought them (its docs and notes). */
const dataTypes = {
  Bool: { number: 1 },
  Int8: { number: 2 },
  Int16: { number: 3 },
  Int32: { number: 4 },
  Int64: { number: 5 },
  Float: { number: 10 },
  Double: { number: 11 },
  VarChar: { number: 21 },
  Array: { number: 22, since: "2.3.2" },
  JSON: { number: 23, since: "2.2.9" },
  Geometry: { number: 24, since: "2.6.4" },
  Text: { number: 25, since: "2.6.0" },
  Timestamptz: { number: 26, since: "2.6.6" },
  BinaryVector: { number: 100 },
  FloatVector: { number: 101 },
  Float16Vector: { number: 102, since: "2.4.0" },
  BFloat16Vector: { number: 103, since: "2.4.0" },
  SparseFloatVector: { number: 104, since: "2.4.0" },
  Int8Vector: { number: 105, since: "2.6.0" },
  ArrayOfVector: { number: 106, since: "2.6.4" },
} as const satisfies Record<string, { number: number; since?: string }>;

const byNumber = new Map<number, { name: string; since?: string }>(
  Object.entries(dataTypes).map(([name, type]) => [type.number, { name, ...type }]),
);

const byName = new Map<string, { number: number }>(Object.entries(dataTypes));

/** `VarChar` for 21; `type 77` for a number nobody knows. */
export function dataTypeName(number: number): string {
  return byNumber.get(number)?.name ?? `type ${number}`;
}

/** 21 for `VarChar`; undefined for a name that nobody knows. */
export function dataTypeNumber(name: string): number | undefined {
  return byName.get(name)?.number;
}

/** The Milvus release that brought a data type: `2.4.0`; "" where 2.2 has it already; undefined for an unknown number. */
export function dataTypeSince(number: number): string | undefined {
  const type = byNumber.get(number);
  return type && (type.since ?? "");
}

const vectorTypes: ReadonlySet<number> = new Set(
  Object.entries(dataTypes).flatMap(([name, type]) => (name.endsWith("Vector") ? [type.number] : [])),
);

export function isVector(dataType: number): boolean {
  return vectorTypes.has(dataType);
}

/** The first ID of a user's field; 0 is the row ID and 1 the timestamp. */
export const firstUserFieldId = 100n;
