import type { RestoreSegments } from "../../core/plan/restore-segments.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";

/** What to copy of every segment, which the plan knows only without its logs: the metas pass by once more. */
export async function* copiesOf(metas: StreamedMetas, segments: RestoreSegments): AsyncGenerator<SizedSegment> {
  if (segments.count === 0) return;
  let ordinal = 0;
  for await (const { segment } of metas.segments()) {
    yield* segments.copiesOf(segment, ordinal);
    ordinal += 1;
  }
}
