import { kindOfChecksum } from "../../core/execution/checksum.ts";
import type { CopiedLog } from "../../core/execution/copy-plan.ts";
import { countOf, isOrAre } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { KeyTable } from "../../core/execution/key-table.ts";
import type { BackupLayout } from "../../core/format/layout.ts";
import type { ManifestObject } from "../../core/format/manifest.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { CopiedObjects } from "../shared/settle-copies.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const namedObjects = 3;

/** The checksums of what came from the source, in hashes, by the source's keys. */
class CopiedChecksums {
  /** Tagged with the kind of the checksum. */
  readonly #checksums: KeyTable;
  readonly #kinds: string[] = [];

  constructor(count: number) {
    this.#checksums = new KeyTable(count);
  }

  add({ from, checksum = "" }: CopiedLog): void {
    this.#checksums.set(from, checksum, this.#numberOf(kindOfChecksum(checksum)));
  }

  /** @param key at the source */
  compare(key: string, checksum: string): "equal" | "different" | "not comparable" | "missing" {
    const slot = this.#checksums.slotOf(key);
    if (slot === undefined) return "missing";
    if (this.#checksums.hasValue(slot, checksum)) return "equal";
    return this.#kinds[this.#checksums.tagOf(slot)] === kindOfChecksum(checksum) ? "different" : "not comparable";
  }

  #numberOf(kind: string): number {
    const known = this.#kinds.indexOf(kind);
    return known >= 0 ? known : this.#kinds.push(kind) - 1;
  }
}

/**
 * Holds copies out of a backup against the checksums of its manifest, which were taken when the backup was made: the copy of an
 * object that was damaged since is a faithful copy. What lay at the destination before is compared as well. Does nothing for a backup
 * without a manifest (another tool's); objects whose two checksums are of different kinds cannot be compared, and are counted in the
 * log.
 * @param fullMetaSha256 hex, of the commit record that is transferred
 * @throws CorruptBackup, naming objects
 */
export async function verifyCopies(
  from: StoredBackup,
  fullMetaSha256: string,
  copied: CopiedObjects,
  context: Pick<StepContext, "log">,
): Promise<void> {
  const index = await from.readManifest();
  if (index === undefined) return;
  from.checkMetas(index, { full_meta: fullMetaSha256 });

  const copies = new CopiedChecksums(copied.count);
  for await (const log of copied.logs()) copies.add(log);
  /** The first of them by name: all could be too many for memory. */
  const named: string[] = [];
  let damaged = 0;
  let notComparable = 0;
  for (const part of index.parts) {
    for await (const object of from.manifestObjects(part)) {
      const result = compare(copies, from.layout, object);
      if (result === "not comparable") notComparable += 1;
      if (result !== "missing" && result !== "different") continue;
      damaged += 1;
      const how =
        result === "missing"
          ? "in the manifest, but not in the metas"
          : `its checksum is not ${object.checksum} any more`;
      if (named.length < namedObjects) named.push(`${object.key} (${how})`);
    }
  }
  if (notComparable > 0) {
    context.log.warn(
      "objects have checksums of another kind than the manifest: their content is not compared with it",
      {
        backupName: from.name,
        objects: notComparable,
      },
    );
  }
  if (damaged === 0) return;
  throw new PipelineError(
    "CorruptBackup",
    `of the backup in ${from.place} ${countOf(damaged, "object", isOrAre)} not what was backed up: ${named.join(", ")}${damaged > named.length ? ", and more" : ""}. Nothing was committed; transfer another backup, or create this one again`,
  );
}

function compare(copies: CopiedChecksums, layout: BackupLayout, { key, checksum = "" }: ManifestObject) {
  return copies.compare(layout.absolute(key), checksum);
}
