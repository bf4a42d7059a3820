import { html } from "hono/html";
import { comparedNothing, type Drill, tellRows, type Verification } from "../core/format/proof.ts";
import {
  proofOf,
  type ReportedBackup,
  type ReportedSchedule,
  type RootReport,
  type TimelineBar,
} from "../core/report/root.ts";
import { bytesAxis, timeAxis } from "./axes.ts";
import { axisLook, figure, type LegendEntry, symbolOf } from "./chart.ts";
import { type Html, pageOf, type Section, timeOf } from "./document.ts";
import { countOf, formatAge, formatBytes, formatCount, formatMinute } from "./format.ts";
import { badge, type Cell, details, facts, type Tile, table, tiles } from "./parts.ts";

/** All backups of a root as a page. */
export function rootPage(report: RootReport): Promise<string> {
  const { location, environment, generatedAt, backups, schedules } = report;
  const isEmpty = report.totals.backupCount === 0;
  const sections: Section[] = [
    { id: "overview", title: "At a glance", body: isEmpty ? emptyRoot(report) : tiles(glance(report)) },
    ...(schedules.length > 0 ? [{ id: "schedules", title: "Schedules", body: scheduleSection(schedules) }] : []),
    ...(report.timeline.bars.length > 0
      ? [{ id: "timeline", title: "Time line", body: timelineFigure(report.timeline) }]
      : []),
    ...(backups.length > 0 ? [{ id: "backups", title: "Backups", body: backupTables(report) }] : []),
  ];
  return pageOf({
    title: `Backups in ${location}`,
    subtitle: html`Environment ${environment}`,
    generatedAt,
    sections,
  });
}

function emptyRoot({ location, environment }: RootReport): Html {
  return html`<p><strong>There are no backups in ${location}.</strong> The first one is made by
<code>milvus-backup --environment ${environment} create -n first</code>, or by a schedule of <code>pipeline.yaml</code>.</p>`;
}

function glance({ totals, backups, generatedAt, schedules }: RootReport): Tile[] {
  const newest = backups.find(({ state, at }) => state === "complete" && at !== undefined);
  const late = schedules.filter((schedule) => schedule.late).length;
  const broken = totals.corrupt + totals.failed;
  const whole = totals.backupCount - totals.incomplete - totals.corrupt;
  const unproven = whole - totals.verified;
  return [
    {
      label: "Backups",
      value: formatCount(whole),
      detail: [
        ...(totals.incomplete > 0 ? [`${formatCount(totals.incomplete)} incomplete`] : []),
        ...(totals.corrupt > 0 ? [`${formatCount(totals.corrupt)} corrupt`] : []),
      ].join(", "),
      tone: totals.corrupt > 0 ? "bad" : "plain",
    },
    newest?.at === undefined
      ? { label: "Newest", value: "unknown" }
      : {
          label: "Newest",
          value: formatAge((Date.parse(generatedAt) - Date.parse(newest.at)) / 1000),
          detail: html`ago: ${newest.backupName}`,
        },
    { label: "Restorable together", value: formatBytes(totals.bytes), detail: "each backup whole" },
    ...(schedules.length > 0
      ? [
          {
            label: "Schedules",
            value: late > 0 ? `${formatCount(late)} late` : "in time",
            detail: `of ${formatCount(schedules.length)}`,
            tone: late > 0 ? ("bad" as const) : ("good" as const),
          },
        ]
      : []),
    {
      label: "Verified",
      value: `${formatCount(totals.verified)} of ${formatCount(whole)}`,
      detail: unproven > 0 ? `${formatCount(unproven)} not yet` : "all of them",
      tone: totals.verified > 0 && unproven === 0 ? "good" : "plain",
    },
    {
      label: "Restored in drills",
      value: formatCount(totals.drilled),
      tone: totals.drilled > 0 ? "good" : "plain",
      detail: totals.drilled > 0 ? "" : "none yet",
    },
    ...(broken > 0
      ? [
          {
            label: "Failed when tried",
            value: formatCount(broken),
            detail: "by reading, verifying or restoring",
            tone: "bad" as const,
          },
        ]
      : []),
  ];
}

/** The end of the scale of ages: what is later is later. */
const mostOfPromise = 200;

function scheduleSection(schedules: readonly ReportedSchedule[]): Html {
  const measured = schedules.flatMap((schedule) => {
    const { ageSeconds, newest, lateFrom } = schedule;
    if (ageSeconds === undefined || newest === undefined || lateFrom === undefined) return [];
    const allowedSeconds = Math.max(1, (Date.parse(lateFrom) - Date.parse(newest.at)) / 1000);
    return [{ schedule, percent: Math.min(mostOfPromise, (100 * ageSeconds) / allowedSeconds) }];
  });
  const figures =
    measured.length === 0
      ? ""
      : figure({
          label: `Age of the newest backup of ${countOf(measured.length, "schedule")}, as a part of what is promised: ${measured
            .map(
              ({ schedule, percent }) =>
                `${schedule.schedule} ${Math.round(percent)} %${schedule.late ? ", late" : ""}`,
            )
            .join("; ")}`,
          height: () => 56 + 34 * measured.length,
          option: ({ narrow }) => ({
            grid: { left: narrow ? 96 : 150, right: 24, top: 8, bottom: 36 },
            xAxis: {
              type: "value",
              min: 0,
              max: mostOfPromise,
              interval: 100,
              ...axisLook,
              axisLabel: {
                ...axisLook.axisLabel,
                formatter: (value: number) => ["just made", "as old as promised", "twice"][value / 100] ?? "",
              },
            },
            yAxis: {
              type: "category",
              inverse: true,
              data: measured.map(({ schedule }) => schedule.schedule),
              ...axisLook,
              axisLabel: { color: "var(--text)", width: narrow ? 86 : 140, overflow: "truncate" },
            },
            series: [
              {
                type: "bar",
                barWidth: 14,
                barMinHeight: 3,
                data: measured.map(({ schedule, percent }) => ({
                  value: percent,
                  itemStyle: { color: schedule.late ? "var(--failed)" : "var(--own)" },
                  label: {
                    show: true,
                    position: percent > mostOfPromise / 2 ? "insideRight" : "right",
                    color: percent > mostOfPromise / 2 ? "#10161c" : "var(--text)",
                    fontWeight: 600,
                    formatter: () => `${schedule.late ? "late: " : ""}${formatAge(schedule.ageSeconds ?? 0)}`,
                  },
                })),
                markLine: {
                  silent: true,
                  symbol: "none",
                  label: { show: false },
                  lineStyle: { color: "var(--text)", type: "dashed" },
                  data: [{ xAxis: 100 }],
                },
              },
            ],
          }),
          caption:
            "How old the newest good backup of each schedule is: right of the dashed line it is older than promised.",
        });
  const rows = schedules.map((schedule): Cell[] => [
    schedule.schedule,
    stateOf(schedule),
    schedule.ageSeconds === undefined ? "none" : formatAge(schedule.ageSeconds),
    schedule.newest === undefined ? "–" : html`${schedule.newest.backupName}, ${timeOf(schedule.newest.at)}`,
    schedule.lateFrom === undefined ? "–" : timeOf(schedule.lateFrom),
    formatCount(schedule.backupCount),
    html`<code>${schedule.expression}</code> ${schedule.timeZone}`,
  ]);
  return html`${figures}${table({
    caption: "Schedules and what they promise",
    columns: [
      { title: "Schedule" },
      { title: "State" },
      { title: "Age", right: true },
      { title: "Newest good backup (T)" },
      { title: "Late from" },
      { title: "Backups", right: true },
      { title: "Runs" },
    ],
    rows,
  })}`;
}

function stateOf({ late, enabled, newest, expectedSince }: ReportedSchedule): Html {
  if (!enabled) return badge("plain", "disabled");
  if (late) return badge("bad", newest === undefined ? "no good backup" : "late");
  return expectedSince === undefined ? badge("plain", "never due") : badge("good", "in time");
}

const proofMarks = {
  verified: { shape: "circle", color: "var(--good)", text: "verified" },
  drilled: { shape: "diamond", color: "var(--good)", text: "restored in a drill" },
  failed: { shape: "cross", color: "var(--failed)", text: "failed when tried" },
} as const;

function timelineFigure({ per, bars }: RootReport["timeline"]): Html {
  const [first, last] = [bars[0], bars.at(-1)];
  const largest = bars.reduce((a, b) => (b.bytes > a.bytes ? b : a), bars[0] ?? noBar);
  const hasShared = bars.some(({ bytes, ownBytes }) => ownBytes !== undefined && ownBytes < bytes);
  const each = per === "backup" ? "backup" : `${per}, its largest backup`;
  const used = [...new Set(bars.map(({ proof }) => proof))].filter((proof) => proof !== "none");
  const legend: LegendEntry[] = [
    ...(hasShared ? [{ shape: "outline" as const, color: "var(--whole)", text: "whole: what it restores" }] : []),
    { shape: "box", color: "var(--own)", text: hasShared ? "own: what deleting it would free" : "size" },
    ...used.map((proof) => proofMarks[proof]),
  ];
  const words = [
    `Size of ${countOf(bars.length, per)} from ${formatMinute(new Date(first?.at ?? 0))} to ${formatMinute(new Date(last?.at ?? 0))}.`,
    `The largest is ${largest.label} with ${formatBytes(largest.bytes)}.`,
    `${countOf(bars.filter(({ proof }) => proof === "failed").length, "bar")} with a failed check.`,
  ];
  return figure({
    label: words.join(" "),
    height: ({ narrow }) => (narrow ? 220 : 300),
    option: ({ narrow, width }) => {
      const [left, right] = [narrow ? 54 : 68, 14];
      const barWidth = Math.max(1.5, Math.min(narrow ? 12 : 22, (0.7 * (width - left - right)) / bars.length));
      const series = (color: string, edge: string, data: (bar: TimelineBar) => number) => ({
        type: "bar",
        barWidth,
        barGap: "-100%",
        barMinHeight: 2,
        itemStyle: { color, borderColor: edge, borderWidth: barWidth > 4 ? 1 : 0 },
        data: bars.map((bar) => [Date.parse(bar.at), data(bar)]),
      });
      return {
        grid: { left, right, top: 26, bottom: 28 },
        xAxis: timeAxis(
          bars.map(({ at }) => Date.parse(at)),
          narrow,
        ),
        yAxis: bytesAxis(largest.bytes, narrow),
        series: [
          ...(hasShared ? [series("var(--whole)", "var(--edge)", ({ bytes }) => bytes)] : []),
          series("var(--own)", "var(--edge)", ({ bytes, ownBytes }) => (hasShared ? (ownBytes ?? bytes) : bytes)),
          ...used.map((proof) => ({
            type: "scatter",
            symbol: symbolOf(proofMarks[proof].shape),
            symbolSize: Math.max(6, Math.min(11, barWidth + 3)),
            symbolOffset: [0, -10],
            itemStyle: { color: proofMarks[proof].color },
            data: bars.filter((bar) => bar.proof === proof).map(({ at, bytes }) => [Date.parse(at), bytes]),
          })),
        ],
      };
    },
    legend,
    caption: `One bar a ${each}, at its T.${per === "backup" ? " The table of backups has every figure." : ""}`,
    ...(per !== "backup" && { table: timelineTable(per, bars) }),
  });
}

function timelineTable(per: string, bars: readonly TimelineBar[]): Html {
  return table({
    caption: `Backups by ${per}`,
    columns: [
      { title: per.charAt(0).toUpperCase() + per.slice(1) },
      { title: "Backups", right: true },
      { title: "Largest, whole", right: true },
      { title: "Own", right: true },
      { title: "Tried" },
    ],
    rows: bars
      .toReversed()
      .map(({ label, backupCount, bytes, ownBytes, proof }): Cell[] => [
        label,
        formatCount(backupCount),
        formatBytes(bytes),
        ownBytes === undefined ? "–" : formatBytes(ownBytes),
        proof === "none" ? "no" : proofMarks[proof].text,
      ]),
  });
}

const noBar: TimelineBar = { label: "", at: new Date(0).toISOString(), backupCount: 0, bytes: 0, proof: "none" };

function backupTables({ backups, older, totals }: RootReport): Html {
  const rows = backups.map((backup): Cell[] => [
    backup.backupName,
    backup.at === undefined ? "unknown" : timeOf(backup.at),
    backupState(backup),
    ...(backup.state === "complete"
      ? [formatBytes(backup.bytes), backup.ownBytes === undefined ? "–" : formatBytes(backup.ownBytes)]
      : ["–", "–"]),
    verificationBadge(backup.verification?.last),
    drillBadge(backup.drill?.last),
    backup.collections.length <= 2
      ? backup.collections.join(", ") || "–"
      : countOf(backup.collections.length, "collection"),
    backup.schedule?.name ?? "by hand",
    backup.milvusVersion || "–",
  ]);
  const newest = table({
    caption: "Backups, newest first",
    columns: [
      { title: "Backup" },
      { title: "T" },
      { title: "State" },
      { title: "Whole", right: true },
      { title: "Own", right: true },
      { title: "Verified" },
      { title: "Drilled" },
      { title: "Collections" },
      { title: "Schedule" },
      { title: "Milvus" },
    ],
    rows,
  });
  const problems = backups.flatMap(({ backupName, problem }) =>
    problem === undefined ? [] : ([[backupName, problem]] as const),
  );
  const unknownTime = backups.some(
    ({ at, isInstant, state }) => state === "complete" && at !== undefined && !isInstant,
  );
  const rest = totals.backupCount - backups.length;
  return html`${
    unknownTime
      ? html`<p class="note">Where a backup has no T (another tool's, or skip_flush), the time it was made stands in its place.</p>`
      : ""
  }${newest}${problems.length > 0 ? html`<h3>What is wrong</h3>${facts(problems)}` : ""}${
    older.length === 0
      ? ""
      : details(
          `${countOf(rest, "older backup")}, by month`,
          table({
            caption: "Older backups by month",
            columns: [
              { title: "Month" },
              { title: "Backups", right: true },
              { title: "Whole together", right: true },
              { title: "Verified", right: true },
              { title: "Drilled", right: true },
              { title: "Failed", right: true },
            ],
            rows: older.map((month): Cell[] => [
              month.month ?? "unknown",
              formatCount(month.backupCount),
              formatBytes(month.bytes),
              formatCount(month.verified),
              formatCount(month.drilled),
              formatCount(month.failed),
            ]),
          }),
        )
  }`;
}

function backupState(backup: ReportedBackup): Html {
  if (backup.state === "corrupt") return badge("bad", "corrupt");
  if (backup.state !== "complete") return badge(backup.state === "writing" ? "plain" : "warn", backup.state);
  if (proofOf(backup) !== "failed") return badge("good", "complete");
  // a drill may fail for its target, which says nothing of the backup
  return badge("bad", backup.verification?.last.outcome === "failed" ? "found broken" : "drill failed");
}

/** What the last verification said, in a word and its day. */
export function verificationBadge(last: Verification | undefined): Html {
  if (last === undefined) return html`<span class="none">no</span>`;
  if (last.outcome === "failed") return badge("bad", `${countOf(last.problems, "problem")} ${last.at.slice(0, 10)}`);
  const depth = last.depth === "sample" ? `sample of ${last.percent} %` : last.depth;
  return badge("good", `${last.at.slice(0, 10)} (${depth}${tellRows(last)})`);
}

/** What the last drill said. */
export function drillBadge(last: Drill | undefined): Html {
  if (last === undefined) return html`<span class="none">no</span>`;
  if (last.outcome === "failed") return badge("bad", `failed ${last.at.slice(0, 10)}`);
  const took = last.rtoSeconds === undefined ? "" : ` (back in ${formatAge(last.rtoSeconds)})`;
  const nothing = comparedNothing(last) ? ", no row compared" : "";
  return badge(nothing === "" ? "good" : "warn", `${last.at.slice(0, 10)}${took}${nothing}`);
}
