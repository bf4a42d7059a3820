import { describe, expect, it } from "vitest";
import { mostBackups, proofOf, reportRoot, rootReport } from "../../../../src/core/report/root.ts";
import { drill, night, nightly, now, rootFacts, stateMachine, verification } from "../../../support/report-facts.ts";

describe("the report of a root", () => {
  it("has every backup, newest T first, and says how many were tried", () => {
    const report = reportRoot(rootFacts());

    expect(rootReport.parse(report)).toEqual(report);
    expect(report.totals).toMatchObject({
      backupCount: 33,
      incomplete: 1,
      corrupt: 1,
      verified: 3,
      drilled: 1,
      failed: 2,
    });
    expect(report.backups[0]?.backupName).toBe("nightly_2026_11_28_03_00_04");
    expect(report.backups.at(-1)).toMatchObject({ state: "incomplete" });
    expect(report.timeline.per).toBe("backup");
    expect(report.timeline.bars).toHaveLength(31);
    expect(report.timeline.bars.at(-1)).toMatchObject({ label: "nightly_2026_11_28_03_00_04", bytes: 41e9 });
  });

  it("holds the newest good backup of each schedule of its environment against the promise", () => {
    const { schedules } = reportRoot(rootFacts());

    expect(schedules).toMatchObject([
      {
        schedule: "nightly",
        late: false,
        newest: { at: "2026-11-28T03:00:04.000Z" },
        lateFrom: "2026-11-29T04:00:00.000Z",
        ageSeconds: 32_396,
        backupCount: 31,
      },
      { schedule: "hourly", late: true, backupCount: 0 },
      { schedule: "paused", late: false, enabled: false },
    ]);
    expect(schedules[2]).not.toHaveProperty("expectedSince");
  });

  it.each([
    ["of another deployment", { schedule: { name: "nightly", environment: "prod", stateMachine: `${stateMachine}2` } }],
    ["that a verification found broken", { verification: verification("2026-11-28T08:00:00Z", "failed") }],
    ["that a drill could not restore", { drill: drill("2026-11-28T08:00:00Z", "failed") }],
    ["that is corrupt", { state: "corrupt" as const }],
  ])("takes no backup %s for the newest good one", (_, broken) => {
    const facts = rootFacts({ backups: [night(0, broken), night(2)] });

    const { schedules } = reportRoot(facts);

    expect(schedules[0]).toMatchObject({ late: true, newest: { at: "2026-11-26T03:00:04.000Z" } });
  });

  it("leaves out schedules of other environments, and all where there is no deployment", () => {
    const other = { stateMachine, promises: [{ ...nightly, environment: "other" }] };

    expect(reportRoot(rootFacts({ deployment: other })).schedules).toEqual([]);
    expect(reportRoot({ environment: "prod", location: "b", backups: [], now }).schedules).toEqual([]);
  });

  it("of 1,000 nights lists the newest, sums up the months before them, and draws no more bars than fit", () => {
    const backups = Array.from({ length: 1_000 }, (_, index) => night(index, { bytes: 10_000 + index }));

    const report = reportRoot(rootFacts({ backups }));

    expect(report.backups).toHaveLength(mostBackups);
    expect(report.older.reduce((sum, { backupCount }) => sum + backupCount, 0)).toBe(900);
    expect(report.older[0]?.month).toBe("2026-08");
    expect(report.timeline.per).toBe("month");
    expect(report.timeline.bars.reduce((sum, { backupCount }) => sum + backupCount, 0)).toBe(1_000);
    expect(report.timeline.bars.length).toBeLessThanOrEqual(120);
    expect(report.totals.backupCount).toBe(1_000);
  });

  it("of an empty root is a report all the same", () => {
    const report = reportRoot(rootFacts({ backups: [] }));

    expect(report).toMatchObject({ totals: { backupCount: 0, bytes: 0 }, backups: [], timeline: { bars: [] } });
    expect(report.schedules[0]).toMatchObject({ schedule: "nightly", late: true });
  });

  it("never lets a good check hide a failed one", () => {
    const [good, bad] = [drill("2026-11-25T09:00:00Z"), verification("2026-11-25T08:00:00Z", "failed")];

    expect(proofOf({ drill: good, verification: bad })).toBe("failed");
    expect(proofOf({ drill: good })).toBe("drilled");
    expect(proofOf({})).toBe("none");
  });
});
