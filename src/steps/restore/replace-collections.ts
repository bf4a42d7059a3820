import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type PlannedRestore } from "../../core/plan/planned-restore.ts";
import { isReplaced, nextNaming, type Sight } from "../../core/plan/replacement.ts";
import type { CollectionRecord, ReplacedRecord } from "../../core/plan/restore-work.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";
import { lookAtNames, namesOf, standingUnder, tellNames } from "./standing.ts";

/** A collection takes its name in three steps at most; more of them means that somebody else renames as well. */
const mostSteps = 6;

/** What of a restore gives names away: every part looks what stands where, and does what is left to do. */
export class CollectionReplacer {
  readonly #milvus: Milvus;
  readonly #recordOf: (collection: PlannedRestore) => CollectionRecord;
  readonly #confirm: (target: string) => Promise<void>;

  /**
   * @param recordOf what the restore made
   * @param confirm asked with the target before each change; throws where the restore has lost it
   */
  constructor(
    milvus: Milvus,
    recordOf: (collection: PlannedRestore) => CollectionRecord,
    confirm: (target: string) => Promise<void>,
  ) {
    this.#milvus = milvus;
    this.#recordOf = recordOf;
    this.#confirm = confirm;
  }

  /**
   * Whether the new collection has its target name, by ID: where somebody dropped the working collection, what has the name is another one.
   * @throws MilvusFailed where the one that was imported into has neither of its names
   */
  async isNamed(collection: PlannedRestore): Promise<boolean> {
    // A collection has one name: what has the other need not be asked for.
    if (await this.#isMade(collection, collection.working)) return false;
    const sight = await lookAtNames(this.#milvus, collection);
    const step = nextNaming(this.#meant(collection), sight);
    const isGone = step.do === "stop" && (step.because === "made-gone" || step.because === "made-another");
    if (isGone) throw this.#stopped(collection, step.because, sight);
    return step.do === "named";
  }

  /**
   * The commit of a restore: from here on the new collection stands under its target name. One that it replaces moves aside before, and
   * back again where the new one cannot get the name.
   */
  async giveTargetName(collection: PlannedRestore): Promise<void> {
    if (!hasWorkingName(collection)) return;
    const { working, target, replaced } = namesOf(collection);
    let wasNamed = false;
    for (let steps = 0; steps < mostSteps; steps += 1) {
      if (wasNamed && (await this.#isMade(collection, target))) return;
      const sight = await lookAtNames(this.#milvus, collection);
      const step = nextNaming(this.#meant(collection), sight);
      if (step.do === "named") return;
      if (step.do === "stop") throw this.#stopped(collection, step.because, sight);
      await this.#confirm(qualifiedName(collection.target));
      wasNamed = step.do === "name-new";
      if (wasNamed) await this.#nameNew(collection);
      else if (replaced) await this.#milvus.renameCollection(target, replaced.collection);
    }
    throw new PipelineError(
      "MilvusFailed",
      `${qualifiedName(working)} and ${qualifiedName(target)} change their names in Milvus at ${this.#milvus.address} while the restore gives them ` +
        "theirs: somebody else renames them. Start the same restore again when nobody does",
    );
  }

  async #nameNew(collection: PlannedRestore): Promise<void> {
    const { working, target, replaced } = namesOf(collection);
    try {
      await this.#milvus.renameCollection(working, target.collection);
    } catch (error) {
      // What passes is tried again by the machine, from what stands then.
      if (!(error instanceof PipelineError) || error.kind !== "permanent") throw error;
      const sight = await lookAtNames(this.#milvus, collection);
      if (nextNaming(this.#meant(collection), sight).do === "named") return;
      const aside = replaced !== undefined && sight.replaced?.id === collection.replaces;
      if (!aside || sight.target !== undefined) throw error;
      throw await this.#putBack(collection, replaced, error);
    }
  }

  /** Answers why the new one did not get its name, and which one has it now. */
  async #putBack({ working, target }: PlannedRestore, replaced: CollectionName, error: PipelineError) {
    const isWorking = `the restored one stands as ${qualifiedName(working)}`;
    const then = await this.#milvus.renameCollection(replaced, target.collection).then(
      () => `The one that was to be replaced is back as ${qualifiedName(target)}, and ${isWorking}`,
      (reason: unknown) =>
        `The one that was to be replaced stands as ${qualifiedName(replaced)} (it could not be renamed back: ${messageOf(reason)}), ` +
        `and ${isWorking}: nothing has the name ${qualifiedName(target)}`,
    );
    return new PipelineError(
      error.name,
      `${qualifiedName(working)} could not be renamed to ${qualifiedName(target)}: ${error.message}. ${then}`,
      {
        details: error.details,
        cause: error,
      },
    );
  }

  /** Moves the aliases of the collection that was replaced: whoever asks by alias gets the new one from then on. */
  async moveAliases(collection: PlannedRestore): Promise<void> {
    if (collection.replaces === undefined) return;
    const sight = await lookAtNames(this.#milvus, collection);
    if (!isReplaced(this.#meant(collection), sight)) return;
    for (const alias of sight.replaced?.aliases ?? []) {
      await this.#confirm(qualifiedName(collection.target));
      await this.#milvus.alterAlias(collection.target, alias);
    }
  }

  /**
   * Drops the collection that was replaced, where it stands aside without any alias, and the new one stands under the target name with as
   * many rows as it had when they were checked.
   * @param record what was written down of them then
   * @param drop false: it stays
   * @returns where it stands when it stays, and a warning where it was to go
   */
  async dropReplaced(
    collection: PlannedRestore,
    record: ReplacedRecord | undefined,
    drop: boolean,
  ): Promise<{ kept?: string; warnings: string[] }> {
    const { target, replaced } = namesOf(collection);
    if (replaced === undefined) return { warnings: [] };
    const sight = await lookAtNames(this.#milvus, collection);
    if (!isReplaced(this.#meant(collection), sight)) return { warnings: [] };
    const kept = qualifiedName(replaced);
    if (!drop) return { kept, warnings: [] };
    const stays = (because: string) => ({
      kept,
      warnings: [
        `${kept}, which ${qualifiedName(target)} replaced, was not dropped: ${because}. Drop it when you have looked`,
      ],
    });
    const aliases = sight.replaced?.aliases ?? [];
    if (aliases.length > 0) return stays(`it got the alias ${aliases.join(", ")} meanwhile`);
    const counted = await this.#milvus.rowCount(target);
    if (record?.rows === undefined || counted < BigInt(record.rows)) {
      return stays(
        `Milvus counts ${counted} rows in the new one, and ${record?.rows ?? "nobody knows how many"} were restored`,
      );
    }
    await this.#confirm(qualifiedName(collection.target));
    await this.#milvus.dropCollection(replaced);
    return { warnings: [] };
  }

  /** Whether the collection that the restore made has a name, by ID. */
  async #isMade(collection: PlannedRestore, name: CollectionName): Promise<boolean> {
    const standing = await standingUnder(this.#milvus, name);
    return standing?.id === this.#recordOf(collection).id && !standing.alias;
  }

  #meant(collection: PlannedRestore) {
    return { made: this.#recordOf(collection).id, old: collection.replaces };
  }

  #stopped(
    collection: PlannedRestore,
    because: Extract<ReturnType<typeof nextNaming>, { do: "stop" }>["because"],
    sight: Sight,
  ): PipelineError {
    const { working, target, replaced = target } = namesOf(collection);
    const [isWorking, is, aside] = [qualifiedName(working), qualifiedName(target), qualifiedName(replaced)];
    const at = `in Milvus at ${this.#milvus.address}`;
    const now = `Nothing was dropped: ${tellNames(collection, this.#recordOf(collection).id, sight)}`;
    switch (because) {
      case "made-gone":
        return new PipelineError(
          "MilvusFailed",
          `${isWorking} (for ${is}) is gone from Milvus at ${this.#milvus.address}: somebody dropped it. Start the same restore again, which makes it anew`,
        );
      case "made-another":
        return new PipelineError(
          "MilvusFailed",
          `${isWorking} (for ${is}) ${at} is not the collection that was imported into: somebody dropped that and made another. ` +
            "Nothing was replaced; start the same restore again when nobody else works there",
        );
      case "target-taken":
        return new PipelineError(
          "TargetExists",
          `${is} ${at} is not what stood there when the restore began: somebody gave the name away meanwhile, and what has it is not touched. ${now}. ` +
            "Rename or drop what has the name, then start the same restore again; where nothing moved aside, dropExisting (--drop-existing) replaces it",
          { details: { key: "dropExisting" } },
        );
      case "replaced-taken":
        return new PipelineError(
          "TargetExists",
          `${is} ${at} cannot move aside, as ${aside} is there already: rename or drop that, then start the same restore again. ${now}`,
          { details: { key: "dropExisting" } },
        );
    }
  }
}
