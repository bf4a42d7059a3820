import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { KMSClient } from "@aws-sdk/client-kms";
import { SFNClient } from "@aws-sdk/client-sfn";
import { aws } from "../../../local/index.ts";

const { endpoint, region, accessKeyId, secretAccessKey } = aws;
const emulator = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };

/** Plain clients of the emulator, which is asked what happened without the code under test. */
export const cloudFormation = new CloudFormationClient(emulator);
export const eventBridge = new EventBridgeClient(emulator);
export const kms = new KMSClient(emulator);
export const stepFunctions = new SFNClient(emulator);
