import { KMSClient } from "@aws-sdk/client-kms";
import { afterEach, expect, test } from "vitest";
import { kmsKeys } from "../../../src/adapters/kms/index.ts";
import { startAnswering } from "../../support/http-answers.ts";

const keyArn = "arn:aws:kms:eu-central-1:111111111111:key/0a1b2c3d-0000-4000-8000-000000000003";
const digest = new Uint8Array(32).fill(7);
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** KMS's wire shapes: JSON 1.1, the action in a header, bytes in base64. */
async function kms(answer: (action: string, request: Record<string, unknown>) => { status: number; body: object }) {
  const asked: Record<string, unknown>[] = [];
  const server = await startAnswering(({ headers, body }) => {
    const action = String(headers["x-amz-target"]).replace("TrentService.", "");
    const request = JSON.parse(body) as Record<string, unknown>;
    asked.push({ action, ...request });
    const { status, body: answered } = answer(action, request);
    return { status, headers: { "content-type": "application/x-amz-json-1.1" }, body: JSON.stringify(answered) };
  });
  open.push(server);
  const client = (region: string) =>
    new KMSClient({
      endpoint: server.url,
      region,
      maxAttempts: 1,
      credentials: { accessKeyId: "key-id", secretAccessKey: "secret" },
    });
  return { asked, keys: kmsKeys(client) };
}

const refusal = (name: string, message = "...") => ({ status: 400, body: { __type: name, message } });

test("a signature is asked of the digest, with the kind that the key has", async () => {
  const { asked, keys } = await kms((_, { SigningAlgorithm }) =>
    SigningAlgorithm === "ECDSA_SHA_256"
      ? refusal("InvalidKeyUsageException")
      : { status: 200, body: { KeyId: keyArn, Signature: "c2lnbmVk", SigningAlgorithm } },
  );

  expect(await keys.sign(keyArn, digest)).toEqual({ algorithm: "RSASSA_PSS_SHA_256", signature: "c2lnbmVk" });
  expect(asked.map(({ SigningAlgorithm }) => SigningAlgorithm)).toEqual(["ECDSA_SHA_256", "RSASSA_PSS_SHA_256"]);
  expect(asked[1]).toMatchObject({
    action: "Sign",
    KeyId: keyArn,
    MessageType: "DIGEST",
    Message: Buffer.from(digest).toString("base64"),
  });
});

test.each([
  [{ status: 200, body: { SignatureValid: true } }, true],
  [{ status: 200, body: { SignatureValid: false } }, false],
  [{ status: 200, body: {} }, false],
  [refusal("KMSInvalidSignatureException"), false],
  [refusal("InvalidKeyUsageException"), false],
])("the answer %j to Verify is %s", async (answer, expected) => {
  const { asked, keys } = await kms(() => answer);

  expect(await keys.verify(keyArn, digest, { algorithm: "ECDSA_SHA_256", signature: "c2lnbmVk" })).toBe(expected);
  expect(asked).toMatchObject([
    {
      action: "Verify",
      KeyId: keyArn,
      MessageType: "DIGEST",
      Signature: "c2lnbmVk",
      SigningAlgorithm: "ECDSA_SHA_256",
    },
  ]);
});

test.each([
  ["AccessDeniedException", "StoreAccessDenied", /not allowed kms:Verify on KMS key arn:aws:kms:.*: grant it/],
  ["NotFoundException", "StoreFailed", /kms:Verify on KMS key .* failed: NotFoundException/],
  ["DisabledException", "StoreFailed", /DisabledException/],
  ["ThrottlingException", "StoreBusy", /is busy/],
])("a refusal of KMS (%s) is told, and is no answer", async (name, expected, message) => {
  const { keys } = await kms(() => refusal(name));

  await expect(
    keys.verify(keyArn, digest, { algorithm: "ECDSA_SHA_256", signature: "c2lnbmVk" }),
  ).rejects.toMatchObject({
    name: expected,
    message: expect.stringMatching(message),
  });
});
