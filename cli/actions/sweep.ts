import { type SweptSource, sumOfSweeps, sweepSegments } from "../../src/steps/shared/sweep-segments.ts";
import { chosenEnvironment } from "../environments.ts";
import { countOf, formatBytes } from "../output/format.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { checkDeletionMeant, deletionContext, deletionHolder, pipelineIfThere } from "./deletions.ts";

interface SweepOptions {
  readonly dryRun?: true;
  readonly yes?: true;
  readonly confirm?: string;
}

/** Removes the segments that no incremental backup names any more, after asking. */
export async function sweep({ options, shared, output, context }: VerbRun<SweepOptions>): Promise<void> {
  const environment = await chosenEnvironment(context, shared);
  const pipeline = await pipelineIfThere(context, shared.stack, output);
  if (!options.dryRun) await checkDeletionMeant(environment, options.confirm, { context, pipeline, output });
  const place = environment.backupStorage;
  const store = await context.connections.openStore(environment, "backup");
  const sweeping = await deletionContext(context, pipeline);
  const holder = deletionHolder("sweep", context.clock.now());
  const request = { holder, deployment: pipeline?.backupStateMachineArn ?? "" };
  const location = [place.bucket, place.rootPath].filter(Boolean).join("/");

  const found = await sweepSegments(store, place, { ...request, dryRun: true }, sweeping);
  const { skipped, locked, ...free } = sumOfSweeps(found);
  const what = `${countOf(free.segments, "segment")} (${countOf(free.objects, "object")}, ${formatBytes(free.bytes)})`;
  if (options.dryRun || free.objects === 0) {
    if (skipped !== undefined) output.warn(skipped);
    if (locked !== undefined) output.note(locked);
    const text =
      found.length === 0
        ? `There are no segments of incremental backups in ${location}.`
        : free.objects === 0
          ? `Nothing to free in ${location}.`
          : `${what} in ${location} would be freed; nothing was removed.`;
    output.result(
      { kind: "sweep", version: 1, location, deleted: false, ...free, sources: found.map(toDocument) },
      text,
    );
    return;
  }
  if (!options.yes) {
    await confirm(context.terminal, `Remove ${what} in ${location} that no backup names?`, {
      verb: "sweep",
      instead: "--dry-run",
    });
  }
  const swept = await sweepSegments(store, place, request, sweeping);
  const { skipped: left, locked: stays, ...freed } = sumOfSweeps(swept);
  if (left !== undefined) output.warn(left);
  if (stays !== undefined) output.note(stays);
  output.result(
    { kind: "sweep", version: 1, location, deleted: true, ...freed, sources: swept.map(toDocument) },
    `Freed ${countOf(freed.segments, "segment")} (${countOf(freed.objects, "object")}, ${formatBytes(freed.bytes)}) in ${location}`,
  );
}

function toDocument({ source, segments, objects, bytes, locked, skipped }: SweptSource) {
  return { source, segments, objects, bytes, ...(locked && { locked }), ...(skipped !== undefined && { skipped }) };
}
