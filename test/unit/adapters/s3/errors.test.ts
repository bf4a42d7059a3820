import { describe, expect, test } from "vitest";
import { s3Error } from "../../../../src/adapters/s3/errors.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";

const request = {
  bucket: "bucket-a",
  address: "minio.internal:9000",
  signer: "access key ...PLE1",
  action: "s3:GetObject",
  key: "files/insert_log/1/2/3/0/4",
};

/** An error as the SDK throws it. */
function sdkError(name: string, httpStatusCode: number, message = name, more: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode }, ...more });
}

/** An error as Node throws it for a connection. */
function networkError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe("faults of a store", () => {
  test.each([
    [
      "nobody listens",
      networkError("ECONNREFUSED"),
      "StoreUnreachable",
      /minio\.internal:9000 cannot be reached \(ECONNREFUSED\)/,
    ],
    ["no such host", networkError("ENOTFOUND"), "StoreUnreachable", /minio\.internal:9000.*ENOTFOUND/],
    [
      "nobody listens on any address of a host",
      Object.assign(new AggregateError([networkError("ECONNREFUSED")]), { name: "AggregateError" }),
      "StoreUnreachable",
      /ECONNREFUSED/,
    ],
    [
      "no connection in time",
      sdkError("TimeoutError", 0, "Socket timed out without establishing a connection within 3000 ms"),
      "StoreUnreachable",
      /minio\.internal:9000.*timeout/,
    ],
    ["plain HTTP where TLS is wanted", networkError("EPROTO"), "StoreUnreachable", /useSSL/],
    ["an unknown certificate", networkError("DEPTH_ZERO_SELF_SIGNED_CERT"), "StoreUnreachable", /certificate/],
    ["a connection that breaks", networkError("ECONNRESET"), "StoreBusy", /broke during s3:GetObject/],
    ["a body that ends early", new Error("aborted"), "StoreBusy", /broke/],
    [
      "no such bucket",
      sdkError("NoSuchBucket", 404),
      "BucketNotFound",
      /bucket-a does not exist at minio\.internal:9000/,
    ],
    ["no such key", sdkError("NoSuchKey", 404), "ObjectNotFound", /files\/insert_log\/1\/2\/3\/0\/4/],
    ["no such key in a HEAD, which has no body", sdkError("NotFound", 404), "ObjectNotFound", /files\/insert_log/],
    [
      "an upload that another run ended, which is no object that vanished",
      sdkError("NoSuchUpload", 404),
      "StoreBusy",
      /the upload of files\/insert_log\/1\/2\/3\/0\/4 .* was ended by somebody else/,
    ],
    ["a replaced object", sdkError("PreconditionFailed", 412), "ObjectNotFound", /was replaced/],
    [
      "an unknown access key",
      sdkError("InvalidAccessKeyId", 403),
      "StoreAccessDenied",
      /does not know access key \.\.\.PLE1/,
    ],
    [
      "a wrong secret key",
      sdkError("SignatureDoesNotMatch", 403),
      "StoreAccessDenied",
      /secret key does not belong to access key \.\.\.PLE1/,
    ],
    ["an expired token", sdkError("ExpiredToken", 400), "StoreAccessDenied", /has expired: renew/],
    [
      "a missing grant",
      sdkError("AccessDenied", 403),
      "StoreAccessDenied",
      /grant s3:GetObject on arn:aws:s3:::bucket-a\/\*/,
    ],
    ["a missing grant in a HEAD", sdkError("403", 403), "StoreAccessDenied", /grant s3:GetObject/],
    [
      "a missing KMS grant",
      sdkError("AccessDenied", 403, "User: x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:k"),
      "StoreAccessDenied",
      /may not use the KMS key arn:aws:kms:k of bucket .*: grant kms:Decrypt on it/,
    ],
    [
      "no credentials",
      sdkError("CredentialsProviderError", 0, "Could not load"),
      "StoreAccessDenied",
      /no credentials/,
    ],
    ["throttling", sdkError("SlowDown", 503), "StoreBusy", /busy \(SlowDown\)/],
    ["a server's fault", sdkError("InternalError", 500), "StoreBusy", /InternalError/],
    ["a gateway's fault without a name", sdkError("Unknown", 502, "UnknownError"), "StoreBusy", /HTTP 502/],
    [
      "another region, said in a header",
      sdkError("PermanentRedirect", 301, "moved", { $response: { headers: { "x-amz-bucket-region": "eu-west-1" } } }),
      "StoreFailed",
      /in region eu-west-1 .*set region/,
    ],
    [
      "another region, said in the message",
      sdkError("AuthorizationHeaderMalformed", 400, "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
      "StoreFailed",
      /in region eu-west-1/,
    ],
    [
      "another region, without its name",
      sdkError("TemporaryRedirect", 307, "re-send", { $response: { headers: { location: "http://x/" } } }),
      "StoreFailed",
      /in another region/,
    ],
    [
      "a redirect of something before the store",
      sdkError("301", 301, "moved", {
        $response: { headers: { location: "https://store.example:8443/b?X-Amz-Signature=s" } },
      }),
      "StoreFailed",
      /with a redirect to https:\/\/store\.example:8443 \(HTTP 301\)/,
    ],
    ["a redirect to nowhere", sdkError("302", 302), "StoreFailed", /with a redirect \(HTTP 302\).*useSSL/],
    [
      "anything else",
      sdkError("InvalidArgument", 400, "bad"),
      "StoreFailed",
      /s3:GetObject on .* failed: InvalidArgument: bad/,
    ],
  ])("%s", (_, error, name, message) => {
    const told = s3Error(error, request);

    expect(told).toBeInstanceOf(PipelineError);
    expect(told.name).toBe(name);
    expect(told.message).toMatch(message);
    expect(told.details).toMatchObject({ bucket: "bucket-a", address: "minio.internal:9000", action: "s3:GetObject" });
    expect(told.cause).toBe(error);
  });

  test("what may succeed later is transient, and nothing else", () => {
    expect(s3Error(sdkError("SlowDown", 503), request).kind).toBe("transient");
    expect(s3Error(networkError("ECONNRESET"), request).kind).toBe("transient");
    expect(s3Error(sdkError("AccessDenied", 403), request).kind).toBe("permanent");
  });

  test("a bucket that may not be listed needs a grant on the bucket itself", () => {
    const { message } = s3Error(sdkError("AccessDenied", 403), { ...request, action: "s3:ListBucket", key: undefined });
    expect(message).toContain("grant s3:ListBucket on arn:aws:s3:::bucket-a (");
  });

  test("a grant need not reach further than what the bucket is used for", () => {
    const denied = sdkError("AccessDenied", 403);
    const used = { ...request, scope: "backup/" };

    const listed = s3Error(denied, { ...used, action: "s3:ListBucket", key: undefined, prefix: "backup/n/meta/" });
    const read = s3Error(denied, { ...used, key: "backup/n/meta/full_meta.json" });
    const staged = s3Error(denied, { ...used, action: "s3:PutObject", key: "milvus-backup-staging/1" });

    expect(listed.message).toContain("grant s3:ListBucket on arn:aws:s3:::bucket-a with s3:prefix like backup/* (");
    expect(read.message).toContain("grant s3:GetObject on arn:aws:s3:::bucket-a/backup/* (");
    expect(staged.message).toContain("grant s3:PutObject on arn:aws:s3:::bucket-a/* (");
  });

  test("a refused server-side copy may lack the grant on its source", () => {
    const copySource = { bucket: "bucket-b", key: "backup/n/1" };
    const { message } = s3Error(sdkError("AccessDenied", 403), { ...request, action: "s3:PutObject", copySource });

    expect(message).toContain(
      "grant s3:PutObject on arn:aws:s3:::bucket-a/* and s3:GetObject on arn:aws:s3:::bucket-b/*",
    );
  });

  test("another region: bucket, both regions and what to set are named", () => {
    const error = sdkError("400", 400, "UnknownError", {
      $response: { headers: { "x-amz-bucket-region": "eu-west-1" } },
    });
    const { message, details } = s3Error(error, {
      ...request,
      address: "s3.us-east-1.amazonaws.com:443",
      region: "us-east-1",
    });

    expect(message).toContain(
      "bucket bucket-a at s3.us-east-1.amazonaws.com:443 answers that it lies in region eu-west-1",
    );
    expect(message).toContain("signed for region us-east-1: set region (or backupRegion) to eu-west-1");
    expect(message).toContain("(s3.eu-west-1.amazonaws.com)");
    expect(details).toMatchObject({ region: "eu-west-1" });
  });

  test("a 404 that is none of S3's comes from something else than an object store", () => {
    const told = s3Error(sdkError("NotFound", 404, "UnknownError"), { ...request, key: undefined });
    expect(told.name).toBe("StoreFailed");
    expect(told.message).toContain("minio.internal:9000: what answers there is no object store");
  });

  test("what is told already stays as it is", () => {
    const told = new PipelineError("CopyMismatch", "differs");
    expect(s3Error(told, request)).toBe(told);
  });
});
