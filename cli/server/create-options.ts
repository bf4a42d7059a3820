import type { Environment } from "../../src/core/environment/environment.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import type { create } from "../actions/create.ts";
import { strategies } from "../options.ts";
import type { CreateRequest } from "./requests.ts";
import { invalid, selectionOf } from "./selection.ts";

/** The options of the verb `create`. */
export type CreateOptions = Parameters<typeof create>[0]["options"];

/**
 * What a request to back up is as options of the verb. Of the pause of garbage collection the environment decides.
 * @throws InvalidInput for what cannot be done, naming the key
 */
export function createOptions(
  request: CreateRequest,
  environment: Pick<Environment, "backupStorage" | "gcPause">,
): CreateOptions {
  const { backup_name: name = "" } = request;
  if (name !== "") checkBackupName(name);
  checkRootPath("backup_root_path", request.backup_root_path, environment);
  checkPause(request, environment);
  const collections = selectionOf(request);
  const strategy = strategyOf(request);
  return {
    ...(name !== "" && { name }),
    ...(collections && { collections: collections.join(",") }),
    ...(strategy !== undefined && { strategy }),
    ...(request.rbac && { rbac: true }),
    detach: true,
  };
}

function strategyOf({ strategy = "", force, meta_only }: CreateRequest): string | undefined {
  if (strategy !== "" && !Object.hasOwn(strategies, strategy))
    throw invalid("strategy", `${JSON.stringify(strategy)} is none of ${Object.keys(strategies).join(", ")}`);
  return strategy || (force ? "skip_flush" : meta_only ? "meta_only" : undefined);
}

/**
 * Another place than the environment's is another environment.
 * @throws InvalidInput
 */
export function checkRootPath(
  key: string,
  path: string | undefined,
  { backupStorage: { rootPath } }: Pick<Environment, "backupStorage">,
): void {
  if (path === undefined || path === "" || path.replace(/^\/+|\/+$/g, "") === rootPath) return;
  throw invalid(
    key,
    `this server's backups lie under ${JSON.stringify(rootPath)} (minio.backupRootPath); for those elsewhere start a server with their own backup.yaml, or a restore with the command (restore --from)`,
  );
}

function checkPause(
  { gc_pause_enable, gc_pause_address = "" }: CreateRequest,
  { gcPause }: Pick<Environment, "gcPause">,
): void {
  if (gc_pause_enable && !gcPause.enable)
    throw invalid("gc_pause_enable", "backup.gcPause.enable is off in the backup.yaml; turn it on there");
  if (gc_pause_address === "" || gc_pause_address.replace(/\/+$/, "") === gcPause.address.replace(/\/+$/, "")) return;
  throw invalid("gc_pause_address", `the pipeline asks ${gcPause.address} (backup.gcPause.address); change it there`);
}
