import { shortHash } from "../execution/deterministic-id.ts";
import type { SearchHit } from "../milvus/descriptions.ts";

/** A vector as Milvus stores it: little endian floats, or bits. */
export interface SampleVector {
  /** What tells its row from others. */
  readonly key: bigint | string;
  readonly bytes: Uint8Array;
}

/** How far two scores may lie apart, relative to the vectors' own length: servers sum in single precision, and in parts. */
const tolerance = 1e-4;

interface Metric {
  /** true: a larger score is a better one. */
  readonly largerIsBetter: boolean;
  readonly score: (a: Uint8Array, b: Uint8Array) => number;
}

const metrics: Readonly<Record<"FloatVector" | "BinaryVector", Readonly<Record<string, Metric>>>> = {
  FloatVector: {
    L2: { largerIsBetter: false, score: squaredDistance },
    IP: { largerIsBetter: true, score: innerProduct },
    COSINE: { largerIsBetter: true, score: cosine },
  },
  BinaryVector: {
    HAMMING: { largerIsBetter: false, score: hamming },
    JACCARD: { largerIsBetter: false, score: jaccard },
  },
};

/** Whether vectors of a type are searched by a metric here, as brute force can say what comes out. */
export function isSearchable(type: string, metricType: string): type is "FloatVector" | "BinaryVector" {
  return (type === "FloatVector" || type === "BinaryVector") && Object.hasOwn(metrics[type], metricType);
}

/** Index types by which each vector that is there is compared. */
const exactIndexes: ReadonlySet<string> = new Set(["FLAT", "BIN_FLAT"]);
/** Those that compare shortened vectors: a vector need not find itself first. */
const shortening = /SQ|PQ|PRQ|SCANN|RABITQ|DISKANN/;

/** The share of a sample that must find itself, and the least recall: 1 where the index is exact. */
export function requiredShare(indexType: string): number {
  if (exactIndexes.has(indexType)) return 1;
  return shortening.test(indexType) ? 0.5 : 0.9;
}

/** Parameters of a search for `limit` vectors by an index, as one asks it who wants good answers and not the quickest. */
export function searchParams(indexType: string, limit: number): Readonly<Record<string, number>> {
  const type = indexType.toUpperCase();
  if (type.includes("HNSW") || type === "GPU_CAGRA") return { ef: Math.max(64, 4 * limit) };
  if (type === "DISKANN") return { search_list: Math.max(100, 4 * limit) };
  if (type === "SCANN") return { nprobe: 64, reorder_k: Math.max(100, 10 * limit) };
  if (type.includes("IVF")) return { nprobe: 64 };
  return {};
}

/** Whether a search answered the vector it was for: before it only what is as near, or, where it is not among the hits, only such. */
export function foundItself(
  of: { readonly type: "FloatVector" | "BinaryVector"; readonly metricType: string; readonly limit: number },
  vector: SampleVector,
  hits: readonly SearchHit[],
): boolean {
  const metric = metricOf(of.type, of.metricType);
  const own = metric.score(vector.bytes, vector.bytes);
  const near = nearness(of.type, of.metricType, vector.bytes);
  const isAsGood = (score: number) => (metric.largerIsBetter ? score >= own - near : score <= own + near);
  const at = hits.findIndex(({ key }) => key === vector.key);
  const before = at < 0 ? hits : hits.slice(0, at);
  if (at < 0 && hits.length < of.limit) return false;
  return before.every(({ score }) => isAsGood(score)) || (at >= 0 && isClose(hits[0]?.score, hits[at]?.score, near));
}

/**
 * How much of what brute force finds in the sample a search among the sample's keys found: a hit counts where it is as near as the last of
 * the nearest ones, so that equal vectors may stand for each other. 0 to 1.
 * @param searches for each of the vectors, in their order
 */
export function recallOf(
  of: { readonly type: "FloatVector" | "BinaryVector"; readonly metricType: string; readonly limit: number },
  sample: readonly SampleVector[],
  searches: readonly (readonly SearchHit[])[],
): number {
  const metric = metricOf(of.type, of.metricType);
  const byKey = new Map(sample.map((vector) => [vector.key, vector.bytes]));
  const limit = Math.min(of.limit, sample.length);
  if (limit === 0) return 1;
  const shares = sample.map((vector, index) => {
    const scores = sample.map(({ bytes }) => metric.score(vector.bytes, bytes));
    scores.sort((a, b) => (metric.largerIsBetter ? b - a : a - b));
    const last = scores[limit - 1] ?? 0;
    const near = nearness(of.type, of.metricType, vector.bytes);
    const hits = new Set((searches[index] ?? []).map(({ key }) => key));
    const good = [...hits].filter((key) => {
      const bytes = byKey.get(key);
      if (bytes === undefined) return false;
      const score = metric.score(vector.bytes, bytes);
      return metric.largerIsBetter ? score >= last - near : score <= last + near;
    });
    return Math.min(1, good.length / limit);
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** A vector to ask with whether searches are answered at all. */
export function anyVector(type: "FloatVector" | "BinaryVector", dim: number): Uint8Array {
  if (type === "BinaryVector") return new Uint8Array(dim / 8).fill(0x55);
  return new Uint8Array(new Float32Array(dim).fill(0.5).buffer);
}

/** Whether a vector has a direction: a cosine of one without is no number. */
export function hasLength(type: "FloatVector" | "BinaryVector", bytes: Uint8Array): boolean {
  return type === "BinaryVector" ? bytes.some((byte) => byte !== 0) : innerProduct(bytes, bytes) > 0;
}

/** A segment of a collection, as far as choosing from it goes. */
export interface SampledSegment {
  readonly id: string;
  /** Name of its partition. */
  readonly partition: string;
  readonly rows: number;
}

/**
 * Which segments a sample is taken from: some of as many partitions as possible, others with every execution.
 * @param most how many at most
 * @param seed what the choice depends on: the same for every run of a step
 */
export function chooseSegments(
  segments: readonly SampledSegment[],
  most: number,
  seed: string,
): readonly SampledSegment[] {
  const shuffled = segments
    .filter(({ rows }) => rows > 0)
    .map((segment) => ({ segment, order: shortHash(seed, segment.id) }))
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ segment }) => segment);
  const byPartition = [...Map.groupBy(shuffled, ({ partition }) => partition).values()];
  const rounds = Math.max(0, ...byPartition.map(({ length }) => length));
  const inTurn = Array.from({ length: rounds }, (_, round) => byPartition.flatMap((of) => of[round] ?? []));
  return inTurn.flat().slice(0, most);
}

function metricOf(type: "FloatVector" | "BinaryVector", metricType: string): Metric {
  const metric = metrics[type][metricType];
  if (metric === undefined) throw new RangeError(`${metricType} of ${type} is not known here`);
  return metric;
}

function nearness(type: "FloatVector" | "BinaryVector", metricType: string, bytes: Uint8Array): number {
  return type === "BinaryVector" || metricType === "COSINE"
    ? tolerance
    : tolerance * (innerProduct(bytes, bytes) + 1e-6);
}

function isClose(a: number | undefined, b: number | undefined, near: number): boolean {
  return a !== undefined && b !== undefined && Math.abs(a - b) <= near;
}

function squaredDistance(a: Uint8Array, b: Uint8Array): number {
  return sumOver(a, b, (x, y) => (x - y) ** 2);
}

function innerProduct(a: Uint8Array, b: Uint8Array): number {
  return sumOver(a, b, (x, y) => x * y);
}

function cosine(a: Uint8Array, b: Uint8Array): number {
  return innerProduct(a, b) / Math.sqrt(innerProduct(a, a) * innerProduct(b, b));
}

function hamming(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, byte, at) => sum + bitsOf(byte ^ (b[at] ?? 0)), 0);
}

function jaccard(a: Uint8Array, b: Uint8Array): number {
  const both = a.reduce((sum, byte, at) => sum + bitsOf(byte & (b[at] ?? 0)), 0);
  const either = a.reduce((sum, byte, at) => sum + bitsOf(byte | (b[at] ?? 0)), 0);
  return either === 0 ? 0 : 1 - both / either;
}

function bitsOf(byte: number): number {
  let bits = 0;
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1;
  return bits;
}

function sumOver(a: Uint8Array, b: Uint8Array, of: (x: number, y: number) => number): number {
  const [left, right] = [a, b].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  let sum = 0;
  for (let at = 0; at + 4 <= a.length; at += 4) {
    sum += of(left?.getFloat32(at, true) ?? 0, right?.getFloat32(at, true) ?? 0);
  }
  return sum;
}
