import { Metrics } from "@aws-lambda-powertools/metrics";
import { describe, expect, it, vi } from "vitest";
import { countResult, countScheduledBackup } from "../../../../functions/shared/observability.ts";

describe("countResult", () => {
  it("makes metrics of the counts in a result, and of nothing else in it", () => {
    const metrics = new Metrics({ namespace: "Test", serviceName: "finalize-backup" });

    countResult({ outcome: "backed-up", backupName: "b", segments: 3, objects: 12, bytes: 8085, attempt: 1 }, metrics);

    const { _aws, ...values } = metrics.serializeMetrics();
    expect(values).toEqual({ service: "finalize-backup", Segments: 3, Objects: 12, Bytes: 8085 });
    expect(_aws.CloudWatchMetrics[0]?.Metrics).toContainEqual({ Name: "Bytes", Unit: "Bytes" });
  });

  it("counts a list by its length", () => {
    const metrics = new Metrics({ namespace: "Test", serviceName: "finish-restore" });

    countResult({ outcome: "restored", collections: [{ to: "a" }, { to: "b" }] }, metrics);

    expect(metrics.serializeMetrics()).toMatchObject({ Collections: 2 });
  });
});

describe("countScheduledBackup", () => {
  it("writes the metric that the alarm of the schedule looks at, by its own dimensions", () => {
    const written: string[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    vi.stubEnv("STACK_NAME", "MilvusBackup");
    const metrics = new Metrics({ namespace: "MilvusBackup", serviceName: "finalize-backup" });

    countScheduledBackup("nightly", metrics);
    countScheduledBackup(undefined, metrics);

    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    expect(written).toHaveLength(1);
    const { _aws, ...values } = JSON.parse(written[0] ?? "") as ReturnType<typeof metrics.serializeMetrics>;
    expect(values).toEqual({
      service: "finalize-backup",
      Stack: "MilvusBackup",
      Schedule: "nightly",
      ScheduledBackups: 1,
    });
    expect(_aws.CloudWatchMetrics[0]?.Dimensions).toEqual([expect.arrayContaining(["service", "Stack", "Schedule"])]);
  });
});
