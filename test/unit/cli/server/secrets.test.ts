import { expect, test } from "vitest";
import { describeMetas } from "../../../../cli/server/answers.ts";
import { backupInfo, databaseBackup, withoutSecrets } from "../../../../src/core/format/meta.ts";

const backup = backupInfo.create({
  name: "nightly",
  database_backups: [
    databaseBackup.create({ db_name: "vault", ezk: "s3cret" }),
    databaseBackup.create({ db_name: "a" }),
  ],
});

test("what is answered or shown of a backup has no key of an encrypted database", () => {
  const described = describeMetas(backup);

  expect(described.database_backups?.map(({ db_name }) => db_name)).toEqual(["vault", "a"]);
  expect(JSON.stringify(described, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
    "s3cret",
  );
  expect(backupInfo.print(withoutSecrets(backup))).not.toContain("s3cret");
});
