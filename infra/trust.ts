import { Aws } from "aws-cdk-lib";
import { type PrincipalBase, ServicePrincipal } from "aws-cdk-lib/aws-iam";

/**
 * A service of AWS that acts for this account, and for some of its resources only: one that is made to act for somebody else's is refused
 * (the confused deputy).
 * @param sources ARNs, or patterns of them
 */
export function serviceActingFor(service: string, sources: readonly string[]): PrincipalBase {
  return new ServicePrincipal(service, { conditions: actingFor(sources) });
}

/** The conditions of that, for the policy of a resource. */
export function actingFor(sources: readonly string[]) {
  return { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID }, ArnLike: { "aws:SourceArn": [...sources] } };
}
