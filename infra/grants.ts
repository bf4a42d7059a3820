import { Stack, Validations } from "aws-cdk-lib";
import { type IRole, Policy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { flattenCfnReference } from "cdk-nag/lib/utils/flatten-cfn-reference.js";
import type { Construct, IConstruct } from "constructs";

/** A statement of a role's policy; whoever makes one says why its wildcards are as narrow as they can be. */
export interface Grant {
  readonly sid: string;
  readonly actions: readonly string[];
  /** ARNs; one with a wildcard comes with its reason. */
  readonly resources: readonly (string | Wildcard)[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** More than one resource, and why it cannot be fewer. */
export interface Wildcard {
  readonly arn: string;
  readonly reason: string;
}

/** The policy of a role that may do what it is granted and nothing else. */
export function grantedPolicy(scope: Construct, role: IRole, grants: readonly Grant[]): Policy {
  const policy = new Policy(scope, "Policy", {
    roles: [role],
    statements: grants.map(
      ({ sid, actions, resources, conditions = {} }) =>
        new PolicyStatement({
          sid,
          actions: [...actions],
          resources: resources.map((resource) => (isWildcard(resource) ? resource.arn : resource)),
          conditions,
        }),
    ),
  });
  acknowledgeWildcards(
    policy,
    grants.flatMap(({ resources }) => resources.filter(isWildcard)),
  );
  return policy;
}

/** Tells cdk-nag the reasons of wildcards; any other is still an error. */
export function acknowledgeWildcards(scope: IConstruct, wildcards: readonly Wildcard[]): void {
  // cdk-nag knows a resource by the text it makes of it, with tokens in angle brackets.
  const nameOf = ({ arn }: Wildcard) => flattenCfnReference(Stack.of(scope).resolve(arn));
  for (const [name, same] of Map.groupBy(wildcards, nameOf)) {
    const reason = [...new Set(same.map((wildcard) => wildcard.reason))].join(" ");
    Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${name}]`, reason });
  }
}

function isWildcard(resource: string | Wildcard): resource is Wildcard {
  return typeof resource !== "string";
}
