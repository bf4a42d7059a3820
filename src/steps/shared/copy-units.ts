import type { CopyUnit } from "../../core/execution/copy-plan.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";

/**
 * Segments as they come, those that are merged together as one: held until the last of them is there, which is soon, as they are
 * neighbours in the metas.
 */
export async function* copyUnits(
  segments: AsyncIterable<SizedSegment> | Iterable<SizedSegment>,
): AsyncGenerator<CopyUnit, void, undefined> {
  const waiting = new Map<string, SizedSegment[]>();
  for await (const sized of segments) {
    const { segment, bytes, merge } = sized;
    if (merge === undefined) {
      yield { segments: [segment], bytes, merged: false };
      continue;
    }
    const members = [...(waiting.get(merge.into) ?? []), sized];
    waiting.set(merge.into, members);
    if (members.length < merge.segments) continue;
    waiting.delete(merge.into);
    yield {
      segments: members.map((member) => member.segment),
      bytes: members.reduce((sum, member) => sum + member.bytes, 0),
      merged: true,
      ...(merge.apart && { apart: merge.apart }),
    };
  }
  const [incomplete] = waiting.keys();
  if (incomplete !== undefined) throw new Error(`of the segments that are merged into ${incomplete} some are missing`);
}
