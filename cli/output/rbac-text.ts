import type { RestoredRbac } from "../../src/core/execution/messages.ts";
import type { RbacCounts } from "../../src/core/milvus/rbac.ts";
import { countOf } from "./format.ts";

const kinds = [
  ["users", "user"],
  ["roles", "role"],
  ["grants", "grant"],
  ["privilegeGroups", "privilege group"],
] as const;

/** `2 users, 1 role, 5 grants`, or `none`. */
export function rbacText(counts: RbacCounts): string {
  return textOf(counts) || "none";
}

/** `2 users, 1 role restored; 1 role there already; 1 user left out`. */
export function restoredRbacText(outcomes: RestoredRbac): string {
  const by = (outcome: "restored" | "present" | "leftOut"): RbacCounts => ({
    users: outcomes.users[outcome],
    roles: outcomes.roles[outcome],
    grants: outcomes.grants[outcome],
    privilegeGroups: outcomes.privilegeGroups[outcome],
  });
  const parts = (
    [
      ["restored", "restored"],
      ["present", "there already"],
      ["leftOut", "left out"],
    ] as const
  ).flatMap(([outcome, told]) => {
    const text = textOf(by(outcome));
    return text === "" ? [] : [`${text} ${told}`];
  });
  return parts.join("; ") || "none";
}

function textOf(counts: RbacCounts): string {
  return kinds.flatMap(([kind, noun]) => (counts[kind] > 0 ? [countOf(counts[kind], noun)] : [])).join(", ");
}
