import { describe, expect, test } from "vitest";
import { flushedWithServer, type ServerFlush, segmentsBefore } from "../../../../src/core/plan/server-flush.ts";
import type { SegmentDescription, SegmentState } from "../../../../src/ports/milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";

const docs = collectionDescription("docs", { physicalChannels: ["dml_0", "dml_1"] });

function segment(id: string, state: SegmentState, rest: Partial<SegmentDescription> = {}): SegmentDescription {
  return { id, collectionId: "1", partitionId: "2", rows: 10n, state, isL0: false, storageVersion: "2", ...rest };
}

/** A flush with these segments before it. */
function flushWith(before: readonly SegmentDescription[], rest: Partial<ServerFlush> = {}): ServerFlush {
  return {
    askedAt: "2026-11-21T11:03:07.000Z",
    timestamp: "462000000000000001",
    channels: { dml_0: "462000000000000001", dml_1: "462000000000000002" },
    messages: {},
    controlChannel: "",
    physicalChannels: [],
    before: { "default.docs": segmentsBefore(before) },
    ...rest,
  };
}

describe("a collection within a flush of the whole server", () => {
  const before = [segment("1", "Flushed"), segment("2", "Growing"), segment("9", "Growing", { rows: 0n })];

  test("is what is flushed then; rows from after may be in what the flush sealed", () => {
    const listed = [
      segment("1", "Flushed"),
      segment("2", "Flushing"),
      segment("3", "Flushed"),
      segment("4", "Growing"),
    ];

    expect(flushedWithServer(docs, flushWith(before), listed)).toEqual({
      segmentIds: ["1", "2", "3"],
      sealedIds: ["2", "3"],
      timestamp: "462000000000000001",
      channelTimestamp: "462000000000000001",
      sealTime: 0,
      channelCheckpoints: {},
    });
  });

  test.each([
    ["a flushed one is gone", [segment("2", "Flushed")], ["1"]],
    [
      "a growing one is not flushed, whatever the server says of the flush",
      [segment("1", "Flushed"), segment("2", "Growing")],
      ["2"],
    ],
    ["a growing one is sealed only", [segment("1", "Flushed"), segment("2", "Sealed")], ["2"]],
    ["a growing one was sealed, flushed and rewritten", [segment("1", "Flushed"), segment("2", "Dropped")], ["2"]],
    [
      "what came and was rewritten in between shows by what it was rewritten into",
      [segment("1", "Flushed"), segment("2", "Flushed"), segment("5", "Flushed", { isSorted: true })],
      ["5"],
    ],
  ])("is torn where %s", (_, listed, torn) => {
    expect(flushedWithServer(docs, flushWith(before), listed)).toEqual({ torn });
  });

  test("is not torn by deletes that moved, nor by a sorted segment of before", () => {
    const sorted = segment("1", "Flushed", { isSorted: true });
    const level0 = segment("7", "Flushed", { isL0: true });
    const listed = [sorted, segment("8", "Flushed", { isL0: true, isSorted: true })];

    expect(flushedWithServer(docs, flushWith([sorted, level0]), listed)).toMatchObject({ segmentIds: ["1"] });
  });

  test("is unknown where it was made since, or has a channel that the flush did not go through", () => {
    expect(flushedWithServer(docs, flushWith([], { before: {} }), [])).toEqual({ torn: [] });
    expect(flushedWithServer(docs, flushWith([], { channels: { dml_0: "1" } }), [])).toEqual({ torn: [] });
    // an empty one of that name was dropped: all rows of this one are later than the flush
    const anew = { ...docs, createdTimestamp: "462000000000000002" };
    expect(flushedWithServer(anew, flushWith([]), [segment("5", "Flushed")])).toEqual({ torn: [] });
  });
});
