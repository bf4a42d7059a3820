import type { Claim } from "../../src/core/format/claim.ts";
import type { UnfinishedState } from "../../src/steps/catalog/unfinished-backup.ts";
import type { DocumentOf } from "../documents/index.ts";
import type { ProgressDocument } from "./progress-document.ts";
import { progressText } from "./progress-text.ts";
import { formatPairs } from "./table.ts";

type UnfinishedDocument = Extract<DocumentOf<"backup">, { readonly state: UnfinishedState; readonly claim?: unknown }>;

/** What `get` answers of a backup that is none yet, or none any more. */
export function unfinishedDocument(
  state: UnfinishedState,
  claim: Claim | undefined,
  about: { readonly backupName: string; readonly location: string; readonly progress?: ProgressDocument | undefined },
): UnfinishedDocument {
  const { progress, ...where } = about;
  return {
    kind: "backup",
    version: 1,
    state,
    ...where,
    ...(claim && { claim: describeClaim(claim) }),
    ...(progress && { progress }),
  };
}

function describeClaim({ purpose, holder, startedAt, heartbeatAt }: Claim) {
  return { purpose, holder, ...(holder.startsWith("arn:") && { executionArn: holder }), startedAt, heartbeatAt };
}

const saidOf: Readonly<Record<UnfinishedState, string>> = {
  writing: "it is being made, and is none yet",
  deleting: "it is being deleted",
  failed:
    "who wrote or deleted it is over: the same command goes on from what is there, delete --incomplete removes that",
  incomplete: "it has no full_meta.json, and nobody says whose it is: delete --incomplete removes what is there",
};

/** The document as text. */
export function formatUnfinished({ state, backupName, location, claim, progress }: UnfinishedDocument): string {
  return formatPairs(
    [
      ["name", backupName],
      ["state", `${state}: ${saidOf[state]}`],
      ["by", claim?.holder],
      ["since", claim?.startedAt],
      ["heard of", claim?.heartbeatAt],
      ["progress", progress && progressText(progress)],
      ["lies in", location],
    ],
    "",
  );
}
