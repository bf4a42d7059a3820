import { kindOfChecksum } from "../../core/execution/checksum.ts";
import type {
  CopiedLog,
  CopyBatch,
  CopyPrefix,
  CopyReceipt,
  CopySegment,
  ExpectedLog,
  ObjectProblem,
  SegmentReceipt,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { sampleOf, tellProblem } from "../../core/plan/verify.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { compareContent } from "./compare-content.ts";
import { objectSlots, type Pace } from "./in-flight.ts";
import { listPrefixes } from "./list-prefixes.ts";

/** What a seal writes down of each object: every store and every reader of manifests can compute it. */
const sealedKind = "md5";

interface VerifyOptions {
  /** Name of the execution: each draws a sample of its own. */
  readonly execution: string;
  readonly isCancelled: () => Promise<boolean>;
  /** @throws ClaimLost where the backup is somebody else's by now */
  readonly confirm: () => Promise<void>;
  readonly pace: Pace;
}

/** One object that is expected to lie there, and what does. */
interface Looked {
  readonly prefix: CopyPrefix;
  readonly key: string;
  readonly expected: ExpectedLog;
  readonly found: ObjectSummary | undefined;
}

/**
 * Looks at every object of a batch where it lies, to the end whatever is wrong: each that is missing or not what is expected is named.
 * @throws ClaimLost, and what the store throws: a fault is no problem of the backup
 */
export async function verifySegments(
  batch: CopyBatch & { readonly verify: NonNullable<CopyBatch["verify"]> },
  source: ObjectStore,
  { execution, isCancelled, confirm, pace }: VerifyOptions,
): Promise<CopyReceipt> {
  await confirm();
  const listed = await listPrefixes(
    source,
    batch.segments.flatMap(({ prefixes }) => prefixes.map(({ from }) => from)),
  );
  const objects = new Map([...listed.values()].flat().map((object) => [object.key, object]));
  const looks = new Map(batch.segments.map((segment) => [segment, looksOf(segment, objects)]));
  const all = [...looks.values()].flat().map(({ key, expected }) => ({ key, size: expected.size }));
  const verifier = new Verifier(source, batch.verify, sampleOf(all, batch.verify.percent, execution), confirm, pace);
  const receipts = await settleEach([...looks], pace.segments, async ([segment, looked], isStopped) =>
    (await isCancelled()) ? undefined : verifier.segment(segment, looked, isStopped),
  );
  return verifier.receipt(
    batch,
    receipts.filter((receipt) => receipt !== undefined),
  );
}

function looksOf({ prefixes }: CopySegment, objects: ReadonlyMap<string, ObjectSummary>): Looked[] {
  return prefixes.flatMap((prefix) =>
    (prefix.expect ?? []).map((expected) => {
      const key = prefix.from + expected.path;
      return { prefix, key, expected, found: objects.get(key) };
    }),
  );
}

/** What is found of one object; its checksum where it is sealed. */
interface Verdict {
  readonly problem?: Omit<ObjectProblem, "key">;
  readonly checksum?: string;
}

class Verifier {
  readonly #slot: ReturnType<typeof objectSlots>;
  readonly #source: ObjectStore;
  readonly #verify: NonNullable<CopyBatch["verify"]>;
  /** Keys that are read. */
  readonly #sample: ReadonlySet<string>;
  readonly #confirm: () => Promise<void>;
  #bySize = 0;
  #readObjects = 0;
  #readBytes = 0;

  constructor(
    source: ObjectStore,
    verify: NonNullable<CopyBatch["verify"]>,
    sample: ReadonlySet<string>,
    confirm: () => Promise<void>,
    pace: Pace,
  ) {
    this.#slot = objectSlots(pace);
    this.#source = source;
    this.#verify = verify;
    this.#sample = sample;
    this.#confirm = confirm;
  }

  async segment(segment: CopySegment, looked: readonly Looked[], isStopped: () => boolean): Promise<SegmentReceipt> {
    const { collectionId, partitionId, segmentId } = segment;
    // all of them at once: they wait for the slots that the batch has
    const settled = await settleEach(looked, Math.max(1, looked.length), (look, isFaulty) =>
      this.#slot(look.expected.size, async () => {
        if (isFaulty() || isStopped()) return undefined;
        return { look, verdict: await this.#object(look) };
      }),
    );
    const seen = settled.filter((one) => one !== undefined);
    const problems = seen.flatMap(({ look: { key }, verdict: { problem } }) => (problem ? [{ key, ...problem }] : []));
    const logsOf = (kind: CopyPrefix["kind"]) =>
      seen.flatMap(({ look, verdict: { checksum } }): CopiedLog[] => {
        const { prefix, key, found } = look;
        if (prefix.kind !== kind || found === undefined) return [];
        return [{ from: key, key, size: found.size, etag: found.etag, ...(checksum !== undefined && { checksum }) }];
      });
    const logs = { insertLogs: logsOf("insert"), deltaLogs: logsOf("delta") };
    const about = { collectionId, partitionId, segmentId };
    if (problems.length === 0) return { ...about, outcome: "copied", ...logs };
    const problem = `segment ${segmentId}: ${shortList(problems.map(tellProblem), { limit: 3, separator: "; " })}`;
    return { ...about, outcome: "mismatch", problem, problems, ...logs };
  }

  receipt({ batch, segments: planned }: CopyBatch, segments: SegmentReceipt[]): CopyReceipt {
    const logs = segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    const isWhole = segments.length === planned.length;
    const isGood = segments.every(({ outcome }) => outcome === "copied");
    return {
      batch,
      outcome: isWhole ? (isGood ? "copied" : "source-changed") : "cancelled",
      objects: logs.length,
      bytes: logs.reduce((sum, { size }) => sum + size, 0),
      skippedObjects: 0,
      bySize: this.#bySize,
      readObjects: this.#readObjects,
      readBytes: this.#readBytes,
      segments,
    };
  }

  async #object({ key, expected, found }: Looked): Promise<Verdict> {
    await this.#confirm();
    if (found === undefined) return { problem: { kind: "missing", detail: "" } };
    if (found.size !== expected.size) {
      const kind = found.size < expected.size ? "truncated" : "altered";
      return { problem: { kind, detail: `it has ${found.size} bytes instead of ${expected.size}` } };
    }
    try {
      return await this.#content(found, expected);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "ObjectNotFound") throw error;
      const isThere = (await this.#source.head(key)) !== undefined;
      if (isThere) return { problem: { kind: "altered", detail: "it was replaced while it was verified" } };
      return { problem: { kind: "missing", detail: "it vanished while it was verified" } };
    }
  }

  async #content(found: ObjectSummary, expected: ExpectedLog): Promise<Verdict> {
    if (this.#verify.seal) {
      const checksum = await this.#read(found, sealedKind);
      return checksum === undefined ? {} : { checksum };
    }
    const { checksum } = expected;
    const read =
      checksum !== undefined && this.#sample.has(found.key)
        ? await this.#read(found, kindOfChecksum(checksum))
        : undefined;
    const verdict =
      read === undefined
        ? await compareContent(this.#source, found, expected, { read: false })
        : read === checksum
          ? "right"
          : "wrong";
    if (verdict === "wrong") {
      return {
        problem: { kind: "altered", detail: `its content is not that of the manifest (${checksum ?? "none"})` },
      };
    }
    if (verdict === "unknown") this.#bySize += 1;
    return {};
  }

  async #read(found: ObjectSummary, kind: string): Promise<string | undefined> {
    const checksum = await this.#source.readChecksum(found, kind);
    if (checksum === undefined) return undefined;
    this.#readObjects += 1;
    this.#readBytes += found.size;
    return checksum;
  }
}
