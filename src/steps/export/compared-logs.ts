import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { checksumOf } from "../../core/execution/content-hash.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { LogStore } from "../rows/field-log.ts";

/** Logs of a backup, each compared with what the manifest says of it as it is read: it is read whole anyway. */
export class ComparedLogs implements LogStore {
  readonly label: string;
  /** How many were read of which nothing is known that could be compared. */
  uncompared = 0;
  readonly #store: ObjectStore;
  readonly #checksums = new Map<string, string>();

  constructor(store: ObjectStore) {
    this.#store = store;
    this.label = store.label;
  }

  /** @param checksums `md5:9e10...` by key */
  expect(checksums: Readonly<Record<string, string>>): void {
    for (const [key, checksum] of Object.entries(checksums)) this.#checksums.set(key, checksum);
  }

  /** @throws CorruptBackup where it is not what was backed up, and what the store throws */
  async getBytes(key: string): Promise<Uint8Array> {
    const bytes = await this.#store.getBytes(key);
    const checksum = this.#checksums.get(key);
    const found = checksum === undefined ? undefined : checksumOf(bytes, kindOfChecksum(checksum));
    if (found === undefined) this.uncompared += 1;
    if (found === undefined || found === checksum) return bytes;
    throw new PipelineError(
      "CorruptBackup",
      `${key} in ${this.label} was altered: its content (${found}) is not that of the manifest (${checksum}). Export another backup`,
      { details: { object: key } },
    );
  }
}
