import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { aws } from "../../../local/index.ts";

const { endpoint, region, accessKeyId, secretAccessKey } = aws;
const emulator = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };

/** Plain clients of the emulator, which is asked what happened without the code under test. */
export const cloudFormation = new CloudFormationClient(emulator);
