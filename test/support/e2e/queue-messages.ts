import { aws } from "../../../local/index.ts";

/** Bodies of the messages that lie in a queue of the emulator, which stay there. The SQS API is called by hand: nothing else here needs its SDK. */
export async function queueMessages(queueUrl: string): Promise<string[]> {
  const scope = `${aws.accessKeyId}/20260101/${aws.region}/sqs/aws4_request`;
  const response = await fetch(aws.endpoint, {
    method: "POST",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}`,
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.ReceiveMessage",
    },
    body: JSON.stringify({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`${queueUrl}: HTTP ${response.status}: ${await response.text()}`);
  const { Messages = [] } = (await response.json()) as { Messages?: { Body: string }[] };
  return Messages.map(({ Body }) => Body);
}
