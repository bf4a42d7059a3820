import { randomUUID } from "node:crypto";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { type HttpAnswer, startAnswering } from "./http-answers.ts";

interface Asked {
  readonly action: string;
  readonly SecretId?: string;
  readonly Name?: string;
  readonly VersionId?: string;
  readonly SecretString?: string;
  readonly KmsKeyId?: string;
  readonly ClientRequestToken?: string;
  readonly RecoveryWindowInDays?: number;
  readonly ForceDeleteWithoutRecovery?: boolean;
}

/** Seconds since 1970: when whatever is removed was removed. */
export const deletedAt = 1_795_000_000;

/**
 * Secrets Manager's wire shapes: JSON 1.1, the action in a header; a secret keeps its current version and the one before, and one that is
 * being deleted answers nothing but DescribeSecret, RestoreSecret and DeleteSecret for good.
 */
export async function startSecretsManager(instead?: (asked: Asked) => HttpAnswer | undefined) {
  const secrets = new Map<string, { VersionId: string; SecretString: string }[]>();
  const removed = new Set<string>();
  const json = (status: number, body: object): HttpAnswer => ({
    status,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify(body),
  });
  const notFound = () => json(400, { __type: "ResourceNotFoundException", Message: "can't find the specified secret" });
  const asked: string[] = [];
  const server = await startAnswering(({ headers, body }) => {
    const action = String(headers["x-amz-target"]).replace("secretsmanager.", "");
    const request = { action, ...(JSON.parse(body) as object) } as Asked;
    const name = request.SecretId ?? request.Name ?? "";
    asked.push(`${action} ${request.VersionId === undefined ? "" : "by version"}`.trim());
    const other = instead?.(request);
    if (other !== undefined) return other;
    const versions = secrets.get(name);
    const stored = {
      VersionId: request.ClientRequestToken ?? randomUUID(),
      SecretString: request.SecretString ?? "",
    };
    const isRemoved = removed.has(name);
    if (isRemoved && (action === "GetSecretValue" || action === "PutSecretValue")) return beingDeleted;
    switch (action) {
      case "GetSecretValue": {
        const found = request.VersionId ? versions?.find((it) => it.VersionId === request.VersionId) : versions?.at(-1);
        return found ? json(200, found) : notFound();
      }
      case "CreateSecret":
        if (isRemoved) {
          const told =
            "You can't create this secret because a secret with this name is already scheduled for deletion.";
          return answer("InvalidRequestException", told);
        }
        if (versions) return json(400, { __type: "ResourceExistsException", Message: "exists already" });
        secrets.set(name, [stored]);
        return json(200, {});
      case "PutSecretValue":
        if (!versions) return notFound();
        if (
          versions.some(
            ({ VersionId, SecretString }) => VersionId === stored.VersionId && SecretString !== stored.SecretString,
          )
        ) {
          return answer("ResourceExistsException", "You can't use that ClientRequestToken");
        }
        if (versions.at(-1)?.VersionId !== stored.VersionId) secrets.set(name, [...versions.slice(-1), stored]);
        return json(200, {});
      case "DeleteSecret":
        if (request.ForceDeleteWithoutRecovery) {
          secrets.delete(name);
          removed.delete(name);
          return json(200, {});
        }
        if (!versions) return notFound();
        if (isRemoved) return beingDeleted;
        removed.add(name);
        return json(200, { DeletionDate: deletedAt + (request.RecoveryWindowInDays ?? 30) * 86_400 });
      case "DescribeSecret": {
        if (!versions) return notFound();
        const VersionIdsToStages = Object.fromEntries(versions.map(({ VersionId }) => [VersionId, ["A_STAGE"]]));
        return json(200, { VersionIdsToStages, ...(isRemoved && { DeletedDate: deletedAt }) });
      }
      case "RestoreSecret":
        if (!versions) return notFound();
        if (!removed.delete(name)) return answer("InvalidRequestException", "Secret is not scheduled for deletion.");
        return json(200, {});
      case "ListSecrets":
        // as if its index were a moment behind
        return json(200, {
          SecretList: [...secrets.keys()].map((Name) => ({
            Name,
            ...(removed.has(Name) && { DeletedDate: deletedAt }),
          })),
        });
      default:
        throw new Error(`${action} is not asked for`);
    }
  });
  const client = new SecretsManagerClient({
    endpoint: server.url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  });
  return { secrets, removed, asked, client, close: () => server.close() };
}

export const answer = (type: string, message: string, status = 400): HttpAnswer => ({
  status,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: type, Message: message }),
});

export const beingDeleted = answer(
  "InvalidRequestException",
  "You can't perform this operation on the secret because it was marked for deletion.",
);
