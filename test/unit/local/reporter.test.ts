import { describe, expect, it } from "vitest";
import { formatReport, reportStep, type StepReport } from "../../../local/reporter.ts";
import { formatStatus } from "../../../local/status-table.ts";

describe("reportStep", () => {
  it("tells the beginning, the end and the duration of a step", async () => {
    const reports: StepReport[] = [];

    await reportStep(
      (report) => reports.push(report),
      "aws",
      async () => ({ detail: "there" }),
    );

    expect(reports).toEqual([
      { step: "aws", state: "started" },
      { step: "aws", state: "done", detail: "there", seconds: expect.any(Number) },
    ]);
  });

  it("tells a failure and passes it on", async () => {
    const reports: StepReport[] = [];
    const failing = reportStep(
      (report) => reports.push(report),
      "aws",
      () => Promise.reject(new Error("no")),
    );

    await expect(failing).rejects.toThrow("no");
    expect(reports.at(-1)).toMatchObject({ state: "failed" });
  });
});

describe("formatReport", () => {
  it("is a line with the seconds a step took, and none for its beginning", () => {
    expect(formatReport({ step: "aws", state: "done", seconds: 1.26, detail: "there" })).toBe(
      "✓ aws              1.3 s  there",
    );
    expect(formatReport({ step: "aws", state: "started" })).toBeUndefined();
  });
});

describe("formatStatus", () => {
  it("shows why a service is not healthy", () => {
    const table = formatStatus([
      { name: "aws", address: "127.0.0.1:4566", health: "stopped" },
      { name: "milvus-a", address: "127.0.0.1:19530", pid: 7, health: "unhealthy", reason: "HTTP 500" },
    ]);

    expect(table.split("\n")).toEqual([
      "SERVICE   ADDRESS          PID  HEALTH               SINCE",
      "aws       127.0.0.1:4566   -    stopped              -",
      "milvus-a  127.0.0.1:19530  7    unhealthy: HTTP 500  -",
    ]);
  });
});
