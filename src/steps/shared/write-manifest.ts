import type { CopiedLog } from "../../core/execution/copy-plan.ts";
import { pipelineVersion } from "../../core/execution/pipeline-version.ts";
import {
  type CutCollection,
  type KeptAttributes,
  type MadeBySchedule,
  type ManifestFile,
  type ManifestIndex,
  type ManifestPart,
  manifestFileOf,
  manifestPartObjects,
  printManifestIndex,
  printManifestObject,
} from "../../core/format/manifest.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { PlannedCollection } from "../../core/plan/backup.ts";
import type { BackupHead } from "../../core/plan/backup-records.ts";
import type { TextUpload } from "../../ports/object-store.ts";
import { checkLocked } from "./locks.ts";
import { withstandsAttack } from "./signatures.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** The instant of a collection as the manifest has it; none where nothing was flushed. */
export function cutsOf({ description, instant, flushed }: PlannedCollection): CutCollection[] {
  if (!instant) return [];
  const laterRows = [...(flushed?.sealedIds ?? [])];
  return [{ collectionId: description.id, collection: qualifiedName(description.name), ...instant, laterRows }];
}

/** The part that is being filled. */
interface OpenPart {
  readonly key: string;
  readonly collectionId: string;
  readonly upload: TextUpload;
  objects: number;
  bytes: number;
}

interface ManifestWriterOptions {
  /** @throws where somebody else has the backup by now; asked before each part appears */
  readonly confirm: () => Promise<void>;
}

/** Writes the checksummed list of everything in a backup, its metas included: the parts as the logs come, the index last. */
export class ManifestWriter {
  readonly #stored: StoredBackup;
  readonly #parts: ManifestPart[] = [];
  #open: OpenPart | undefined;
  /** Of the collection whose logs come now. */
  #partsOfCollection = 0;

  readonly #confirm: () => Promise<void>;
  #sha256: string | undefined;
  #loose = 0;

  constructor(stored: StoredBackup, { confirm }: ManifestWriterOptions) {
    this.#stored = stored;
    this.#confirm = confirm;
  }

  /** Lists logs of a collection; all of one collection come before those of the next. */
  async add(collectionId: string, logs: readonly CopiedLog[]): Promise<void> {
    if (this.#open !== undefined && this.#open.collectionId !== collectionId) await this.endCollection();
    for (let rest = logs; rest.length > 0; ) {
      this.#open ??= this.#begin(collectionId);
      const part: OpenPart = this.#open;
      const fitting = rest.slice(0, manifestPartObjects - part.objects);
      this.#loose += fitting.filter(({ checksum }) => !withstandsAttack(checksum)).length;
      part.objects += fitting.length;
      for (const { size } of fitting) part.bytes += size;
      const { layout } = this.#stored;
      await part.upload.write(fitting.map((log) => printManifestObject(log, layout)).join(""));
      if (part.objects === manifestPartObjects) await this.#close();
      rest = rest.slice(fitting.length);
    }
  }

  /** Of the collections that have logs; whole once all are added. */
  get collectionIds(): ReadonlySet<string> {
    return new Set([...this.#parts, ...(this.#open ? [this.#open] : [])].map(({ collectionId }) => collectionId));
  }

  /** How many of the logs have no checksum that a signature could vouch for. */
  get loose(): number {
    return this.#loose;
  }

  /** Of the index, hex; once it is finished. */
  get sha256(): string {
    if (this.#sha256 === undefined) throw new Error("the manifest is not finished yet");
    return this.#sha256;
  }

  /** The next logs are those of another collection. */
  async endCollection(): Promise<void> {
    await this.#close();
    this.#partsOfCollection = 0;
  }

  /**
   * @param created ISO 8601
   * @returns false where a backup that is sealed has a manifest by now: nothing is written
   */
  async finish(
    head: Pick<BackupHead, "backupName" | "backupId"> & { readonly schedule?: MadeBySchedule | undefined },
    {
      metas,
      instants,
      kept,
      notCarried,
      created,
      incremental,
      sealed,
    }: {
      metas: readonly ManifestFile[];
      instants: readonly CutCollection[];
      kept: readonly KeptAttributes[];
      notCarried?: NonNullable<ManifestIndex["notCarried"]>;
      created: string;
      incremental?: ManifestIndex["incremental"];
      /** The backup had none: it gets this one only where there is still none. */
      sealed?: ManifestIndex["sealed"];
    },
  ): Promise<boolean> {
    await this.endCollection();
    const { store, layout, lock } = this.#stored;
    const index = printManifestIndex({
      backupName: head.backupName,
      backupId: head.backupId,
      created: new Date(created).toISOString(),
      pipelineVersion,
      ...(head.schedule && { schedule: head.schedule }),
      instants: [...instants],
      ...(kept.length > 0 && { kept: [...kept] }),
      ...(Object.keys(notCarried ?? {}).length > 0 && { notCarried }),
      ...(incremental && { incremental }),
      ...(sealed && { sealed }),
      ...(lock && { lock }),
      metas: [...metas],
      parts: this.#parts,
    });
    this.#sha256 = manifestFileOf(layout.manifest, index).sha256;
    await this.#confirm();
    const condition = sealed && { ifAbsent: true };
    const isWritten = await store.putText(layout.manifest, index, {
      contentType: "application/json",
      lock,
      ...condition,
    });
    // before anything is committed: a store that drops locks is found here
    if (lock) await checkLocked(store, layout.manifest, lock);
    return isWritten;
  }

  async abort(): Promise<void> {
    await this.#open?.upload.abort();
  }

  #begin(collectionId: string): OpenPart {
    const { layout, store, lock } = this.#stored;
    const key = layout.manifestPart(collectionId, this.#partsOfCollection);
    this.#partsOfCollection += 1;
    const upload = store.openText(key, { contentType: "application/jsonl", lock });
    return { key: layout.relative(key), collectionId, upload, objects: 0, bytes: 0 };
  }

  async #close(): Promise<void> {
    if (this.#open === undefined) return;
    const { upload, ...part } = this.#open;
    await this.#confirm();
    await upload.finish();
    this.#parts.push({ ...part, ...upload.written });
    this.#open = undefined;
  }
}
