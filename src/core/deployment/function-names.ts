/** Every function of a deployment, as pipeline.yaml and messages name it: the folder below `functions/`, and the last part of its name. */
export const functionNames = [
  "prepare-backup",
  "copy-segments",
  "finalize-backup",
  "release-backup",
  "prepare-drill",
  "search-drill",
  "clean-drill",
  "release-drill",
  "prepare-restore",
  "recreate-collections",
  "import-segments",
  "finish-restore",
  "release-restore",
  "prepare-transfer",
  "finalize-transfer",
  "release-transfer",
  "prepare-verify",
  "read-rows",
  "finalize-verify",
  "release-verify",
  "prune-backups",
  "start-triggered-restore",
  "write-report",
] as const;

export type FunctionName = (typeof functionNames)[number];
