import type { Need } from "./policy.ts";
import type { RecordedRequest } from "./recording-proxy.ts";

/** Where everything of the tests with enforced IAM is. */
export const place = { account: "111111111111", region: "us-east-1" } as const;

/**
 * What IAM asks of a request: "Actions, resources, and condition keys" of each service in AWS's Service Authorization Reference, and
 * "Required permissions" of the operations in the references of their APIs.
 * @throws Error for a request that is not known here: nothing passes unseen
 */
export function needsOf(request: RecordedRequest): Need[] {
  switch (request.service) {
    case "s3":
      return s3Needs(request);
    case "sts":
      return [
        { action: "sts:AssumeRole", resource: new URLSearchParams(request.body.toString()).get("RoleArn") ?? "" },
      ];
    case "lambda": {
      const [, name = ""] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url) ?? [];
      const { account, region } = place;
      return [{ action: "lambda:InvokeFunction", resource: `arn:aws:lambda:${region}:${account}:function:${name}` }];
    }
    default:
      return [jsonNeed(request)];
  }
}

function jsonNeed({ headers, body }: RecordedRequest): Need {
  const [, operation = ""] = String(headers["x-amz-target"]).split(".");
  const asked = JSON.parse(body.toString()) as Record<string, string>;
  const { account, region } = place;
  switch (operation) {
    case "GetSecretValue": {
      const secret = `arn:aws:secretsmanager:${region}:${account}:secret:${asked.SecretId}-a1B2c3`;
      return { action: "secretsmanager:GetSecretValue", resource: secret };
    }
    case "ListSecrets":
      return { action: "secretsmanager:ListSecrets", resource: "*" };
    case "DescribeExecution":
    case "StopExecution":
      return { action: `states:${operation}`, resource: asked.executionArn ?? "" };
    case "StartExecution":
    case "ListExecutions":
      return { action: `states:${operation}`, resource: asked.stateMachineArn ?? "" };
    case "Sign":
    case "Verify":
      return { action: `kms:${operation}`, resource: asked.KeyId ?? "" };
    case "PutEvents":
      return { action: "events:PutEvents", resource: `arn:aws:events:${region}:${account}:event-bus/default` };
    default:
      throw new Error(`a request that is not known here: ${String(headers["x-amz-target"])}`);
  }
}

function s3Needs({ method, url, headers, body, status }: RecordedRequest): Need[] {
  const { pathname, searchParams: query } = new URL(url, "http://s3");
  const [, bucket = "", key = ""] = /^\/([^/]+)\/?(.*)$/s.exec(pathname) ?? [];
  const bucketArn = `arn:aws:s3:::${bucket}`;
  const objectArn = (name: string) => `${bucketArn}/${decodeURIComponent(name)}`;
  const on = (action: string, resource = objectArn(key)): Need => ({ action: `s3:${action}`, resource });
  const listing = (prefix: string | null): Need => ({
    ...on("ListBucket", bucketArn),
    ...(prefix && { context: { "s3:prefix": prefix } }),
  });
  if (key === "") {
    if (query.has("uploads")) return [on("ListBucketMultipartUploads", bucketArn)];
    if (query.has("object-lock")) return [on("GetBucketObjectLockConfiguration", bucketArn)];
    if (query.has("delete")) {
      const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, name = ""]) => name);
      return keys.map((name) => on("DeleteObject", `${bucketArn}/${name}`));
    }
    if (method === "GET" && query.get("list-type") === "2") return [listing(query.get("prefix"))];
    throw new Error(`a request that is not known here: ${method} ${url}`);
  }
  if (query.has("retention")) return [on(method === "GET" ? "GetObjectRetention" : "PutObjectRetention")];
  if (query.has("uploadId") && method === "DELETE") return [on("AbortMultipartUpload")];
  if (method === "DELETE") return [on("DeleteObject")];
  if (method === "GET" || method === "HEAD") {
    // "If the object doesn't exist and you have s3:ListBucket, S3 answers 404, otherwise 403" (GetObject, HeadObject).
    return [
      on("GetObject"),
      ...(status === 404 ? [{ ...listing(decodeURIComponent(key)), documented: true as const }] : []),
    ];
  }
  if (method !== "PUT" && method !== "POST") throw new Error(`a request that is not known here: ${method} ${url}`);
  const source = String(headers["x-amz-copy-source"] ?? "");
  return [
    on("PutObject"),
    ...(source === "" ? [] : [on("GetObject", `arn:aws:s3:::${decodeURIComponent(source).replace(/^\//, "")}`)]),
    // "s3:PutObjectRetention is required" to write with a lock (PutObject, CopyObject, CreateMultipartUpload).
    ...(headers["x-amz-object-lock-mode"] ? [{ ...on("PutObjectRetention"), documented: true as const }] : []),
  ];
}
