import {
  InvalidKeyUsageException,
  KMSClient,
  KMSInvalidSignatureException,
  SignCommand,
  VerifyCommand,
} from "@aws-sdk/client-kms";
import { PipelineError } from "../../core/execution/errors.ts";
import { type Signature, signatureAlgorithms } from "../../core/format/signature.ts";
import type { SigningKeys } from "../../ports/signing.ts";
import { awsError } from "../aws-errors.ts";

/**
 * Keys of AWS KMS: asymmetric ones for SIGN_VERIFY, ECC_NIST_P256 or RSA. A key's region is that of its ARN.
 * (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html)
 */
export function kmsKeys(clientOf: (region: string) => Pick<KMSClient, "send"> = regionalClients()): SigningKeys {
  const asking = async <T>(action: string, keyArn: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof InvalidKeyUsageException || error instanceof KMSInvalidSignatureException) throw error;
      throw awsError(error, { action: `kms:${action}`, subject: `KMS key ${keyArn}` });
    }
  };
  return {
    async sign(keyArn, digest) {
      for (const algorithm of signatureAlgorithms) {
        const request = new SignCommand({
          KeyId: keyArn,
          Message: digest,
          MessageType: "DIGEST",
          SigningAlgorithm: algorithm,
        });
        try {
          const answer = await asking("Sign", keyArn, () => clientOf(regionOf(keyArn)).send(request));
          return { algorithm, signature: Buffer.from(answer.Signature ?? []).toString("base64") };
        } catch (error) {
          // A key of another kind: which one it is needs no permission to ask.
          if (!(error instanceof InvalidKeyUsageException)) throw error;
        }
      }
      throw notForSigning(keyArn);
    },

    async verify(keyArn, digest, { algorithm, signature }: Signature) {
      const request = new VerifyCommand({
        KeyId: keyArn,
        Message: digest,
        MessageType: "DIGEST",
        SigningAlgorithm: algorithm,
        Signature: Buffer.from(signature, "base64"),
      });
      try {
        const answer = await asking("Verify", keyArn, () => clientOf(regionOf(keyArn)).send(request));
        return answer.SignatureValid === true;
      } catch (error) {
        // Made by no key of this kind, or not by this one.
        if (error instanceof KMSInvalidSignatureException || error instanceof InvalidKeyUsageException) return false;
        throw error;
      }
    },
  };
}

/** `arn:aws:kms:eu-central-1:...` */
function regionOf(keyArn: string): string {
  return keyArn.split(":")[3] ?? "";
}

function regionalClients(): (region: string) => KMSClient {
  const clients = new Map<string, KMSClient>();
  return (region) => {
    const client = clients.get(region) ?? new KMSClient({ region });
    clients.set(region, client);
    return client;
  };
}

function notForSigning(keyArn: string): PipelineError {
  return new PipelineError(
    "InvalidInput",
    `KMS key ${keyArn} signs neither with ${signatureAlgorithms.join(" nor ")}: use an asymmetric key for SIGN_VERIFY of the kind ECC_NIST_P256 or RSA_2048`,
    { details: { key: "signBackups" } },
  );
}
