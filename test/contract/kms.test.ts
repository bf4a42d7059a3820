import { createHash } from "node:crypto";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { beforeAll, expect, test } from "vitest";
import { kmsKeys } from "../../src/adapters/kms/index.ts";

const client = new KMSClient({
  endpoint: "http://127.0.0.1:4566",
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const regions: string[] = [];
const keys = kmsKeys((region) => {
  regions.push(region);
  return client;
});
const digest = (text: string) => createHash("sha256").update(text).digest();
const newKey = async (
  KeySpec: "ECC_NIST_P256" | "RSA_2048",
  KeyUsage: "SIGN_VERIFY" | "ENCRYPT_DECRYPT" = "SIGN_VERIFY",
) => {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage }));
  return KeyMetadata?.Arn ?? "";
};

let ecc: string;
beforeAll(async () => {
  ecc = await newKey("ECC_NIST_P256");
});

test.each(["ECC_NIST_P256", "RSA_2048"] as const)(
  "a key of the kind %s signs, and verifies what it signed",
  async (kind) => {
    const keyArn = await newKey(kind);

    const signature = await keys.sign(keyArn, digest("a"));

    expect(signature.algorithm).toBe(kind === "RSA_2048" ? "RSASSA_PSS_SHA_256" : "ECDSA_SHA_256");
    expect(await keys.verify(keyArn, digest("a"), signature)).toBe(true);
    expect(await keys.verify(keyArn, digest("b"), signature)).toBe(false);
    expect(new Set(regions)).toEqual(new Set(["us-east-1"]));
  },
);

test("what another key signed is not verified, of the same kind or another, nor is what is no signature", async () => {
  const [other, rsa] = [await newKey("ECC_NIST_P256"), await newKey("RSA_2048")];
  const signature = await keys.sign(other, digest("a"));

  expect(await keys.verify(ecc, digest("a"), signature)).toBe(false);
  expect(await keys.verify(rsa, digest("a"), signature)).toBe(false);
  expect(await keys.verify(ecc, digest("a"), await keys.sign(rsa, digest("a")))).toBe(false);
  expect(await keys.verify(ecc, digest("a"), { algorithm: "ECDSA_SHA_256", signature: "AAAA" })).toBe(false);
});

test("a key that is not there, and one that encrypts, are named", async () => {
  const missing = ecc.replace(/[^/]*$/, "00000000-0000-4000-8000-000000000000");

  await expect(keys.sign(missing, digest("a"))).rejects.toMatchObject({
    name: "StoreFailed",
    message: expect.stringMatching(new RegExp(`kms:Sign on KMS key ${missing} failed: NotFoundException`)),
  });
  await expect(keys.sign(await newKey("RSA_2048", "ENCRYPT_DECRYPT"), digest("a"))).rejects.toMatchObject({
    name: "InvalidInput",
    message: expect.stringMatching(/signs neither with ECDSA_SHA_256 nor RSASSA_PSS_SHA_256.*ECC_NIST_P256/),
  });
});
