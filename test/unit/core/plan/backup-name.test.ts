import { describe, expect, it } from "vitest";
import { backupNameOf } from "../../../../src/core/plan/backup-name.ts";

const started = "2026-11-21T11:03:07.512Z";

describe("backupNameOf", () => {
  it.each([
    [{ backupName: "mine", schedule: "nightly" }, "mine"],
    [{}, "backup_2026_11_21_11_03_07"],
    [{ schedule: "nightly", scheduledTime: "2026-11-21T03:00:00Z" }, "nightly_2026_11_21_03_00_00"],
    [{ schedule: "nightly", scheduledTime: "2026-11-21T05:00:00+02:00" }, "nightly_2026_11_21_03_00_00"],
    [{ schedule: "nightly", scheduledTime: "<aws.scheduler.scheduled-time>" }, "nightly_2026_11_21_11_03_07"],
    [{ schedule: "nightly" }, "nightly_2026_11_21_11_03_07"],
  ])("of %j is %s", (input, name) => {
    expect(backupNameOf(input, started)).toBe(name);
  });

  it("refuses a name that leaves its directory", () => {
    expect(() => backupNameOf({ backupName: ".." }, started)).toThrow(/not only dots/);
  });
});
