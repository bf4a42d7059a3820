import type { Environment } from "../../core/environment/environment.ts";
import { parseEzkMapping } from "../../core/environment/ezk-mapping.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { RestoreInput } from "../../core/execution/messages.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import { defaultDatabase } from "../../core/milvus/names.ts";
import type { RestorePlan } from "../../core/plan/planned-restore.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { findBackup } from "../shared/find-backup.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";

/**
 * The keys that imports of encrypted databases need. They are read from the backup when the first of them is submitted, as no file of the work bucket has
 * them: from the very metas that Prepare Restore read, and compared. A key that `milvus.ezkMappingPath` of the target's environment names is replaced.
 */
export class EncryptionKeys {
  readonly #encrypted: RestorePlan["encrypted"];
  readonly #read: () => Promise<ReadonlyMap<string, string>>;
  #keys: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(
    { encrypted }: RestorePlan,
    restore: {
      readonly input: RestoreInput;
      readonly layout: WorkLayout;
      readonly environment: Environment;
    },
    context: MilvusContext,
  ) {
    this.#encrypted = encrypted;
    this.#read = () => readKeys(encrypted?.sha256 ?? "", restore, context);
  }

  /**
   * @param database of the backup
   * @returns undefined for one that is not encrypted
   * @throws CopyMismatch where the backup is not the one any more that was planned from
   */
  async of(database: string): Promise<string | undefined> {
    if (!this.#encrypted?.databases.includes(database)) return undefined;
    return (await this.#all()).get(database);
  }

  /** The same fault, should Milvus's reason repeat a key. */
  async withoutKeys(fault: PipelineError): Promise<PipelineError> {
    if (!this.#encrypted) return fault;
    const keys = [...(await this.#all()).values()].filter((key) => key !== "");
    const text = keys.reduce((message, key) => message.replaceAll(key, "***"), fault.message);
    return text === fault.message ? fault : new PipelineError(fault.name, text, { details: fault.details });
  }

  #all(): Promise<ReadonlyMap<string, string>> {
    this.#keys ??= this.#read();
    return this.#keys;
  }
}

async function readKeys(
  sha256: string,
  { input, layout, environment }: ConstructorParameters<typeof EncryptionKeys>[1],
  context: MilvusContext,
): Promise<ReadonlyMap<string, string>> {
  const from = await pinnedEnvironment(context, layout, input.from ?? input.environment);
  const store = await context.openStore(pinnedStore(from, "backup"));
  const stored = await findBackup(store, from.backupStorage, input.backupName);
  const metas = await stored.streamCommitRecord();
  const outline = await metas?.outline();
  if (!metas || !outline || metas.sha256 !== sha256) {
    throw new PipelineError(
      "CopyMismatch",
      `backup ${input.backupName} in ${stored.place} was replaced or deleted while it was restored: the keys of its encrypted databases are not there to be read ` +
        "any more, and nothing more was imported. Start the restore again once it is complete",
    );
  }
  const replaced = parseEzkMapping(environment.milvus.ezkMapping ?? "") ?? {};
  return new Map(
    outline.backup.database_backups.map(({ db_name, ezk }) => [db_name || defaultDatabase, replaced[ezk] ?? ezk]),
  );
}
