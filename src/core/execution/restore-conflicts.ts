import { PipelineError } from "./errors.ts";
import type { RestoreInput } from "./messages.ts";

type Options = Partial<RestoreInput>;

/** Options that decide how a collection is made, by their keys. */
const ofCreation = ["shards", "maxShards", "description", "overrides", "skipProperties", "skipFieldParams"] as const;
/** Options that decide how an index is made. */
const ofIndexes = ["autoIndex", "skipIndexParams"] as const;

/** Why a trigger does not bring users and roles of just any backup. */
export const unsignedRbac =
  "wants signedBy beside it in a trigger: whoever writes into the bucket would make users and roles; name the KMS key that signs the backups";

/** Of these pairs only one may be asked for; the problem stands under the first key. */
const exclusive: readonly {
  readonly keys: readonly [keyof RestoreInput, keyof RestoreInput];
  readonly because: string;
}[] = [
  {
    keys: ["skipCreate", "dropExisting"],
    because: "one replaces the target collection, the other imports into it",
  },
  ...ofCreation.map((key) => ({
    keys: [key, "skipCreate"] as const,
    because: "it is about collections that are made, and skipCreate makes none",
  })),
  { keys: ["maxShards", "shards"], because: "one says how many shards there are, the other how many at most" },
];

/** Why options of a restore cannot be asked for together, and under which key; undefined where they can. */
export function restoreConflict(
  options: Options,
): { readonly key: keyof RestoreInput; readonly problem: string } | undefined {
  const asked = (key: keyof RestoreInput) => {
    const value = options[key];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  };
  const found = exclusive.find(({ keys }) => keys.every(asked));
  if (found) return { key: found.keys[0], problem: `excludes ${found.keys[1]}: ${found.because}` };
  const indexed = ofIndexes.find(asked);
  if (indexed && options.indexes === false) {
    return { key: indexed, problem: "excludes indexes: false: it says how indexes are made, and none is" };
  }
  const changesIndexes = asked("existingIndexes") && options.existingIndexes !== "keep";
  if (changesIndexes && options.indexes === false) {
    return { key: "existingIndexes", problem: "excludes indexes: false: no index is dropped but for the backup's" };
  }
  if (changesIndexes && !asked("skipCreate")) {
    return {
      key: "existingIndexes",
      problem: "is about collections that are there, and without skipCreate (--skip-create) none of these is touched",
    };
  }
  if (asked("skipCreate") && !changesIndexes) {
    const help = "existingIndexes add or replace (--rebuild-index, --drop-exist-index)";
    if (indexed) {
      return {
        key: indexed,
        problem: `excludes skipCreate without ${help}: it says how indexes are made, and none is`,
      };
    }
    if (asked("metadataOnly")) {
      return { key: "metadataOnly", problem: `excludes skipCreate without ${help}: nothing would be restored` };
    }
  }
  if (asked("metadataOnly") && asked("dropExisting") && !asked("keepReplaced")) {
    const problem =
      "excludes dropExisting without keepReplaced (--keep-replaced): rows would be dropped, and none restored";
    return { key: "metadataOnly", problem };
  }
  if (asked("signedBy") && (options.verify === "none" || options.verify === "size")) {
    return {
      key: "signedBy",
      problem: `excludes verify: ${options.verify}: a signature vouches for contents, so these are compared`,
    };
  }
  if (asked("rbac") && asked("trigger") && !asked("signedBy")) {
    return { key: "rbac", problem: unsignedRbac };
  }
  if (asked("keepReplaced") && !asked("dropExisting")) {
    const problem =
      "says what becomes of a collection that is replaced, and without dropExisting (--drop-existing) none is";
    return { key: "keepReplaced", problem };
  }
  return undefined;
}

/** @throws InvalidInput where options exclude each other */
export function checkRestoreOptions(options: Options): void {
  const conflict = restoreConflict(options);
  if (!conflict) return;
  throw new PipelineError("InvalidInput", `${conflict.key} ${conflict.problem}`, { details: { key: conflict.key } });
}
