import type { NeededStatement } from "../../src/core/check/statements.ts";
import type { DocumentOf } from "../documents/index.ts";
import { toJson } from "./output.ts";

type Policies = DocumentOf<"policies">["policies"];

/** Statements by the policy that they belong to, each once. */
export function policiesOf(statements: readonly NeededStatement[]): Policies {
  const once = new Map(statements.map((needed) => [JSON.stringify(needed), needed]));
  const groups = Map.groupBy(once.values(), ({ to, when }) => JSON.stringify([to, when]));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { to, when } = first;
    return [{ to, ...(when !== undefined && { when }), statements: group.map(({ statement }) => statement) }];
  });
}

/** `Into the policy of role arn:...:` and a policy to be pasted. */
export function tellPolicies(policies: Policies): string {
  return policies
    .map(({ to, when, statements }) => {
      const policy = toJson({ Version: "2012-10-17", Statement: statements });
      return `Into ${to}${when === undefined ? "" : `, where ${when}`}:\n${policy}`;
    })
    .join("\n\n");
}
