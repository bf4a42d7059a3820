import type { RestoreInput } from "../../src/core/execution/messages.ts";
import { collectionDescription } from "./collection-description.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { runBackup } from "./run-machines.ts";
import { seedShop } from "./seed-shop.ts";

/** A restore of `books` in place of the `books_bak` that stands there. */
export const replacing: RestoreInput = {
  environment: "dr",
  backupName: "nightly",
  collections: ["books"],
  suffix: "_bak",
  dropExisting: true,
};
export const target = { database: "default", collection: "books_bak" };
/** The `books_bak` that is replaced, and where it moves. */
export const oldId = "7000000000000009";
export const aside = { database: "default", collection: `books_bak_replaced_${oldId}` };

/** The shop, backed up as `nightly`. */
export async function backedUpShop(): Promise<PipelineWorld> {
  const world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  return world;
}

/** Puts a collection where a restore goes that no restore made, with one sealed segment. */
export function addOld(
  world: PipelineWorld,
  {
    name = target.collection,
    id = oldId,
    rows = 7n,
    aliases = [],
  }: { name?: string; id?: string; rows?: bigint; aliases?: readonly string[] },
): void {
  world.milvus("dr").addCollection(collectionDescription(name, { id, aliases: [...aliases] }), {
    segments: [
      { id: `${id}1`, collectionId: id, partitionId: "6", rows, state: "Flushed", isL0: false, storageVersion: "0" },
    ],
  });
}
