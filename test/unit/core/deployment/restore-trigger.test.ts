import { describe, expect, it } from "vitest";
import {
  backupNameOfKey,
  matchesGlob,
  triggeredExecutionName,
} from "../../../../src/core/deployment/restore-trigger.ts";

describe("backupNameOfKey", () => {
  it.each([
    ["backup/nightly_1/meta/full_meta.json", "nightly_1"],
    ["a/b/nightly_1/meta/full_meta.json", "nightly_1"],
    ["nightly_1/meta/full_meta.json", "nightly_1"],
    ["backup/nightly_1/meta/full_meta.json.bak", undefined],
    ["backup/nightly_1/meta/backup_meta.json", undefined],
    ["backup/not a backup/meta/full_meta.json", undefined],
    ["meta/full_meta.json", undefined],
    ["/meta/full_meta.json", undefined],
  ])("reads %s as %s", (key, name) => {
    expect(backupNameOfKey(key)).toBe(name);
  });
});

describe("matchesGlob", () => {
  it.each([
    ["*", "anything", true],
    ["nightly_*", "nightly_2026", true],
    ["nightly_*", "hourly_2026", false],
    ["b?", "b1", true],
    ["b?", "b", false],
    ["v1.0", "v1x0", false],
    ["a", "ab", false],
  ])("%s on %s: %s", (pattern, name, matches) => {
    expect(matchesGlob(pattern, name)).toBe(matches);
  });
});

describe("triggeredExecutionName", () => {
  const object = { bucket: "backups", key: "backup/nightly_1/meta/full_meta.json", etag: "abc" };
  const name = triggeredExecutionName({ trigger: "standby", object });

  it("is the same for the same version of a backup, and another one for any other", () => {
    expect(name).toMatch(/^standby-nightly_1-[0-9a-f]{16}$/);
    expect(triggeredExecutionName({ trigger: "standby", object: { ...object } })).toBe(name);
    for (const other of [{ bucket: "b2" }, { key: "c/nightly_1/meta/full_meta.json" }, { etag: "abd" }]) {
      expect(triggeredExecutionName({ trigger: "standby", object: { ...object, ...other } })).not.toBe(name);
    }
    expect(triggeredExecutionName({ trigger: "other", object })).not.toBe(name);
  });

  it("is a name that Step Functions takes, however long the parts are", () => {
    const long = { ...object, key: `backup/${"v1.".repeat(33)}/meta/full_meta.json` };

    expect(triggeredExecutionName({ trigger: "t".repeat(40), object: long })).toMatch(/^[A-Za-z0-9_-]{80}$/);
  });
});
