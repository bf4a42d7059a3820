import { CfnOutput } from "aws-cdk-lib";
import { CfnSecurityGroup } from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";
import type { NetworkConfig } from "../src/core/deployment/config.ts";
import type { FunctionNetwork } from "./pipeline-function.ts";

/** Where the functions run; makes a security group where the file names none, which Milvus's own group then has to let in. */
export function functionNetwork(scope: Construct, config: NetworkConfig | undefined): FunctionNetwork | undefined {
  if (config === undefined) return undefined;
  const { subnetIds, vpcId } = config;
  if (config.securityGroupIds !== undefined) return { subnetIds, securityGroupIds: config.securityGroupIds };
  const group = new CfnSecurityGroup(scope, "FunctionsSecurityGroup", {
    vpcId,
    groupDescription: "Functions of milvus-backup: they reach Milvus, the object stores and AWS, nothing reaches them",
    securityGroupEgress: [{ ipProtocol: "-1", cidrIp: "0.0.0.0/0", description: "Milvus, object stores, AWS" }],
  });
  const securityGroupId = group.attrGroupId;
  new CfnOutput(scope, "FunctionsSecurityGroupId", {
    value: securityGroupId,
    description: "To be let in by the security group of Milvus, on its port (19530)",
  });
  return { subnetIds, securityGroupIds: [securityGroupId] };
}
