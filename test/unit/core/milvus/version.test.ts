import { describe, expect, it } from "vitest";
import {
  compareVersions,
  features,
  isAtLeast,
  newestVersion,
  parseVersion,
  readsHybridEnd,
  restorableInto,
} from "../../../../src/core/milvus/version.ts";

describe("parseVersion", () => {
  it.each([
    ["2.3.5", { major: 2, minor: 3, patch: 5 }],
    ["v2.3.5", { major: 2, minor: 3, patch: 5 }],
    ["v2.3.5-lite", { major: 2, minor: 3, patch: 5 }],
    ["2.3.5-dev", { major: 2, minor: 3, patch: 5 }],
    ["2.3.22.6", { major: 2, minor: 3, patch: 22 }],
    ["2.6.11+build7", { major: 2, minor: 6, patch: 11 }],
  ])("reads %s", (text, expected) => {
    expect(parseVersion(text)).toEqual(expected);
  });

  it.each(["master-20260226-abcdef", "2.6-20260404-31fb3fc", "2.6", "", "latest"])(
    "counts %j, which is not MAJOR.MINOR.PATCH, as the newest",
    (text) => {
      expect(parseVersion(text)).toEqual(newestVersion);
    },
  );
});

describe("comparing versions", () => {
  it("compares numbers, not text", () => {
    expect(compareVersions(parseVersion("2.10.0"), parseVersion("2.9.9"))).toBeGreaterThan(0);
    expect(compareVersions(parseVersion("2.3.5"), parseVersion("v2.3.5-lite"))).toBe(0);
    expect(isAtLeast("2.5.10", "2.5.8")).toBe(true);
    expect(isAtLeast("2.5.7", "2.5.8")).toBe(false);
  });
});

describe("features", () => {
  it.each([
    ["2.2.8", { databases: false, rename: false, importApi: "grpc" }],
    ["2.3.5", { databases: true, rename: true, importApi: "grpc", l0Import: false, gcPause: false }],
    ["2.4.0", { importApi: "rest", l0Import: false, gcPause: true, describeDatabase: false }],
    ["2.4.3", { describeDatabase: true, segmentDescription: false }],
    ["2.5.8", { segmentDescription: true, storageV2: false, multiL0PerJob: false }],
    ["2.6.4", { storageV2: true, multiL0PerJob: false }],
    ["2.6.5", { multiL0PerJob: true, disableFunctionRuntimeCheck: false }],
    ["2.6.8", { disableFunctionRuntimeCheck: true }],
    ["master-20260226-abcdef", { importApi: "rest", disableFunctionRuntimeCheck: true }],
  ])("of %s", (version, expected) => {
    expect(features(version)).toMatchObject(expected);
  });
});

describe("readsHybridEnd", () => {
  it.each([
    ["v2.4.15", false],
    ["2.5.5", false],
    ["2.5.6", true],
    ["v2.6.12", true],
    // it may be older than that
    ["master-20250101-abcdef", false],
  ])("of %s", (version, expected) => {
    expect(readsHybridEnd(version)).toBe(expected);
  });
});

describe("restorableInto", () => {
  it.each([
    ["v2.3.5-lite", "v2.3.5-lite"],
    ["2.3.9", "2.3.5"],
    ["2.2.16", "2.3.5"],
    ["2.6.0", "3.0.0"],
    ["", "2.3.5"],
    ["2.6.0", "master-20260226-abcdef"],
  ])("lets a backup of %j into %j", (backup, target) => {
    expect(restorableInto(backup, target)).toBeUndefined();
  });

  it.each([
    ["v2.4.0", "v2.3.5-lite"],
    ["3.0.0", "2.6.11"],
    ["master-20260226-abcdef", "2.6.11"],
  ])("keeps a backup of %j out of the older %j and says so", (backup, target) => {
    expect(restorableInto(backup, target)).toContain(`Milvus ${backup}, which is newer than the target's ${target}`);
  });
});
