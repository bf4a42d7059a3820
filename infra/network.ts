import { CfnOutput, Validations } from "aws-cdk-lib";
import {
  CfnSecurityGroup,
  type ISecurityGroup,
  type IVpc,
  SecurityGroup,
  type SubnetSelection,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";
import type { NetworkConfig } from "../src/core/deployment/config.ts";

/** Where functions run, in the words of a function's properties. */
export interface FunctionNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  /** Made for each function where absent. */
  readonly securityGroups?: ISecurityGroup[];
}

/** Where the functions run; makes a security group where the file names none, which Milvus's own group then has to let in. */
export function functionNetwork(scope: Construct, config: NetworkConfig | undefined): FunctionNetwork | undefined {
  if (config === undefined) return undefined;
  const { vpcId, subnetIds, securityGroupIds = [createSecurityGroup(scope, vpcId)] } = config;
  const vpc = Vpc.fromVpcAttributes(scope, "Network", {
    vpcId,
    privateSubnetIds: subnetIds,
    // CDK wants one a subnet, and no function reads it: the real ones would have to be looked up at synthesis.
    availabilityZones: subnetIds.map((_, index) => `zone-${index}`),
  });
  Validations.of(vpc).acknowledge({
    id: "@aws-cdk/aws-ec2:noSubnetRouteTableId",
    reason: "Functions add no routes to the subnets they run in.",
  });
  const securityGroups = securityGroupIds.map((id, index) =>
    SecurityGroup.fromSecurityGroupId(scope, `SecurityGroup${index}`, id, { mutable: false }),
  );
  return { vpc, securityGroups };
}

function createSecurityGroup(scope: Construct, vpcId: string): string {
  const { attrGroupId } = new CfnSecurityGroup(scope, "FunctionsSecurityGroup", {
    vpcId,
    groupDescription: "Functions of milvus-backup: they reach Milvus, the object stores and AWS, nothing reaches them",
    securityGroupEgress: [{ ipProtocol: "-1", cidrIp: "0.0.0.0/0", description: "Milvus, object stores, AWS" }],
  });
  new CfnOutput(scope, "FunctionsSecurityGroupId", {
    value: attrGroupId,
    description: "To be let in by the security group of Milvus, on its port (19530)",
  });
  return attrGroupId;
}
