import { expect, test } from "vitest";
import { problemOfRoots } from "../../../../src/core/deployment/bucket-root.ts";

const root = (bucket: string, rootPath: string) => ({ bucket, rootPath });
const milvus = [root("prod-milvus", "files")];
const backups = [root("prod-backups", "backup")];

test.each([
  [root("prod-backups", ""), "prod-backups/backup"],
  [root("prod-backups", "backup/exports"), "prod-backups/backup"],
  [root("prod-milvus", "files"), "prod-milvus/files"],
])("exports to %j are refused: what may be written there could be a backup, or Milvus's", (exports, other) => {
  expect(problemOfRoots(milvus, backups, [exports])).toContain(
    `and ${other}, where Milvus's data or backups lie, are within each other`,
  );
});

test.each([root("prod-backups", "exports"), root("prod-backups", "backup2"), root("lake", "")])(
  "%j lies beside them",
  (exports) => {
    expect(problemOfRoots(milvus, backups, [exports])).toBeUndefined();
  },
);
