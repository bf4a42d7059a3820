import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  failedMilliseconds,
  keepRules,
  planRetention,
  type ScheduledBackup,
} from "../../../../src/core/deployment/retention.ts";

const hour = 3_600_000;
const day = 24 * hour;
const newest = Date.parse("2026-11-21T03:00:00Z");

/** Backups `step` apart, newest first: `b0`, `b1` ... */
function series(count: number, step: number, end = newest): ScheduledBackup[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `b${index}`,
    created: new Date(end - index * step),
    good: true,
  }));
}
const namesOf = (entries: readonly { name: string }[]) => entries.map(({ name }) => name);

describe("planRetention", () => {
  it("keeps the newest so many, and lets the rest go, oldest first", () => {
    const plan = planRetention(series(5, day), { last: 2 });

    expect(namesOf(plan.keep)).toEqual(["b0", "b1"]);
    expect(namesOf(plan.remove)).toEqual(["b4", "b3", "b2"]);
  });

  it("keeps the newest of each day, and counts days that have one", () => {
    // Every 8 hours from 03:00: a day has 03:00, 11:00 and 19:00; then a gap of ten days.
    const backups = [...series(6, 8 * hour), { name: "old", created: new Date(newest - 12 * day), good: true }];

    const plan = planRetention(backups, { daily: 4 });

    expect(namesOf(plan.keep)).toEqual(["b0", "b1", "b4", "old"]);
  });

  it("knows weeks from Monday and months by the calendar", () => {
    // 2026-11-21 is a Saturday; the Monday before it is the 16th.
    const weekly = planRetention(series(30, day), { weekly: 3 });
    const monthly = planRetention(series(60, day), { monthly: 3 });

    expect(namesOf(weekly.keep)).toEqual(["b0", "b6", "b13"]);
    expect(namesOf(monthly.keep)).toEqual(["b0", "b21", "b52"]);
  });

  it("keeps what any of the rules keeps, and says which", () => {
    const plan = planRetention(series(40, day), { last: 2, daily: 3, monthly: 2 });

    expect(plan.keep.map(({ name, reasons }) => [name, ...reasons])).toEqual([
      ["b0", "last good", "last", "daily", "monthly"],
      ["b1", "last", "daily"],
      ["b2", "daily"],
      ["b21", "monthly"],
    ]);
  });

  it("begins days where the schedule's time zone does", () => {
    const backups = [
      { name: "evening", created: new Date("2026-11-20T23:30:00Z"), good: true },
      { name: "noon", created: new Date("2026-11-20T12:00:00Z"), good: true },
    ];

    expect(namesOf(planRetention(backups, { daily: 2 }).keep)).toEqual(["evening"]);
    expect(namesOf(planRetention(backups, { daily: 2 }, "Europe/Berlin").keep)).toEqual(["evening", "noon"]);
  });

  it("never lets the last good one go, and counts no damaged one for a rule", () => {
    const backups = series(4, day).map((backup, index) => ({ ...backup, good: index >= 2 }));

    const plan = planRetention(backups, { last: 1 });

    expect(plan.keep.map(({ name, reasons }) => [name, ...reasons])).toEqual([
      ["b0", "newer than the last good"],
      ["b1", "newer than the last good"],
      ["b2", "last good", "last"],
    ]);
    expect(namesOf(plan.remove)).toEqual(["b3"]);
  });

  it("lets nothing go where nothing is good", () => {
    const backups = series(4, day).map((backup) => ({ ...backup, good: false }));

    expect(planRetention(backups, { last: 1 }).remove).toEqual([]);
  });

  it("keeps the last one that was verified until a newer one is", () => {
    const backups = series(5, day).map((backup, index) => ({ ...backup, verified: index >= 3 }));

    const plan = planRetention(backups, { last: 1 });

    expect(plan.keep.map(({ name, reasons }) => [name, reasons])).toEqual([
      ["b0", ["last good", "last"]],
      ["b3", ["last verified"]],
    ]);
    const newer = backups.map((backup, index) => ({ ...backup, verified: index >= 1 }));
    expect(namesOf(planRetention(newer, { last: 1 }).keep)).toEqual(["b0", "b1"]);
  });

  it("lets one that a verification found damaged count for nothing, and go no earlier than if it were good", () => {
    const backups = series(4, day).map((it, index) => ({ ...it, good: index !== 1, damaged: index === 1 }));

    const plan = planRetention(backups, { last: 2 });

    expect(plan.keep.map(({ name, reasons }) => [name, reasons])).toEqual([
      ["b0", ["last good", "last"]],
      ["b1", ["damaged"]],
      ["b2", ["last"]],
    ]);
    expect(namesOf(planRetention(backups, { last: 1 }).keep)).toEqual(["b0"]);
  });

  it("splits the backups in two, keeps the newest good one, and changes its mind about nothing when run again", () => {
    const backups = fc.uniqueArray(
      fc.record({
        name: fc.string({ minLength: 1, maxLength: 4 }),
        created: fc.date({ min: new Date("2024-01-01"), max: new Date("2027-01-01"), noInvalidDate: true }),
        good: fc.boolean(),
        damaged: fc.boolean(),
        verified: fc.boolean(),
      }),
      { selector: ({ name }) => name, maxLength: 40 },
    );
    const count = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });
    const rules = fc.record({ last: count, daily: count, weekly: count, monthly: count });

    fc.assert(
      fc.property(backups, rules, (drawn, keep) => {
        const all = drawn.map((backup) => ({ ...backup, damaged: backup.damaged && !backup.good }));
        const plan = planRetention(all, keep);

        expect([...namesOf(plan.keep), ...namesOf(plan.remove)].sort()).toEqual(namesOf(all).sort());
        const times = plan.remove.map(({ created }) => created.getTime());
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        const newestGood = Math.max(...all.filter(({ good }) => good).map(({ created }) => created.getTime()));
        if (all.some(({ good }) => good)) {
          expect(plan.keep.some(({ created }) => created.getTime() === newestGood)).toBe(true);
        }
        const proven = all.filter(({ good, verified }) => good && verified).map(({ created }) => created.getTime());
        if (proven.length > 0) {
          expect(plan.keep.some(({ created }) => created.getTime() === Math.max(...proven))).toBe(true);
        }
        const left = all.filter(({ name }) => namesOf(plan.keep).includes(name));
        expect(planRetention(left, keep).remove).toEqual([]);
      }),
    );
  });
});

describe("keep.failed", () => {
  it.each([
    [undefined, 24],
    [6, 6],
    ["36h", 36],
    ["2d", 48],
  ])("%j is %d hours", (failed, hours) => {
    const keep = keepRules.parse({ last: 1, ...(failed !== undefined && { failed }) });

    // The rule of a schedule sends them on to the function, which parses them once more.
    expect(failedMilliseconds(keepRules.parse(keep))).toBe(hours * hour);
  });

  it.each([[0], [-1], [1.5], ["0h"], ["30m"], ["1 day"], ["d"]])("%j is refused", (failed) => {
    expect(keepRules.safeParse({ last: 1, failed }).success).toBe(false);
  });

  it("is no rule that keeps anything", () => {
    expect(keepRules.safeParse({ failed: 24 }).error?.issues[0]?.message).toMatch(/at least one of last/);
  });
});
