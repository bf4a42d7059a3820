import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";
import { madeBySchedule } from "./manifest.ts";

/**
 * Who works on a backup: a small object in its own folder (`claim` in layout.ts), since two deployments that write into one place
 * share nothing else. It is there from before the first object of a backup until after its commit record.
 */
export const claimRecord = z.object({
  version: z.literal(1),
  backupName: z.string(),
  /**
   * `restore`: it stands for no folder, but tells that a restore goes on (target-lease.ts). `sweep`: for the segments that incremental
   * backups share. `seal`: a complete backup gets a manifest. `export`: it stands for the folder of an export.
   */
  purpose: z.enum(["backup", "transfer", "delete", "restore", "sweep", "seal", "export"]),
  /**
   * - `checking`: taken, and nothing written: what else lies there is somebody else's
   * - `writing`: what lies there beside it was written under it
   * - `failed`: the same, by an execution that is over
   * - `deleting`: what lies there is on its way out
   */
  state: z.enum(["checking", "writing", "failed", "deleting"]),
  /** ARN of the execution; of a deletion a text of its own. */
  holder: z.string().min(1),
  /** ARN of its state machine. */
  stateMachine: z.string().optional(),
  /** ISO 8601, as are all. */
  startedAt: z.iso.datetime({ offset: true }),
  /** When the holder last said that it goes on, by its own clock. */
  heartbeatAt: z.iso.datetime({ offset: true }),
  /** The schedule whose backup it is; absent where none started it. */
  schedule: madeBySchedule.optional(),
  /** Of an export: what it is of, and the ARN of the execution that wrote before and is over; what both write is the same. */
  exportId: z.string().optional(),
  takenFrom: z.string().optional(),
});
export type Claim = z.infer<typeof claimRecord>;

const minute = 60_000;

export const claimTimes = {
  /** A holder says so often that it goes on. */
  heartbeatMilliseconds: minute,
  /** A holder that nobody can ask (another deployment's) is taken for over when it was silent for so long: eight invocations of a Lambda. */
  silentMilliseconds: 120 * minute,
  /** The same for a deletion, which stops by itself when it could not say so for so long. */
  silentDeletionMilliseconds: 15 * minute,
  /** What an execution began may go on for so long after its end: no function outlives 15 minutes, and clocks differ. */
  endedMilliseconds: 25 * minute,
  /** Clocks of two machines differ by less; a heartbeat further ahead is that of a wrong clock. */
  clocksDifferMilliseconds: 5 * minute,
} as const;

/** undefined where the text is no claim of a version that this pipeline knows. */
export function parseClaim(text: string): Claim | undefined {
  return claimRecord.safeParse(jsonOrUndefined(text)).data;
}

/** Until when a claim counts that says nothing more, as milliseconds of the epoch. */
export function claimedUntil(
  claim: Pick<Claim, "state" | "heartbeatAt"> & { readonly purpose?: Claim["purpose"] },
): number {
  const silent =
    claim.purpose === "sweep"
      ? claimTimes.endedMilliseconds
      : claim.state === "deleting"
        ? claimTimes.silentDeletionMilliseconds
        : claimTimes.silentMilliseconds;
  return Date.parse(claim.heartbeatAt) + silent;
}

/** Whether a claim's heartbeat lies further in the future than clocks differ: by itself it might count for ever. */
export function hasWrongClock(claim: Pick<Claim, "heartbeatAt">, now: Date): boolean {
  return Date.parse(claim.heartbeatAt) - now.getTime() > claimTimes.clocksDifferMilliseconds;
}
