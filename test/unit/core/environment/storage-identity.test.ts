import { describe, expect, test } from "vitest";
import { awsRegionOfHost, sameBucket, storeIdentity } from "../../../../src/core/environment/storage-identity.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

function storage(minio: string) {
  return parseEnvironment(`minio:\n  ${minio.replaceAll("\n", "\n  ")}\n`, { name: "e", fileName: "e.yaml" }).storage;
}

describe("storeIdentity", () => {
  test.each([
    ["regions of AWS", ["s3.eu-west-1.amazonaws.com", 443], ["s3.us-west-2.amazonaws.com", 443]],
    ["AWS's global host", ["s3.amazonaws.com", 443], ["s3.us-west-2.amazonaws.com", 443]],
    ["a VPC endpoint", ["bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com", 443], ["s3.eu-west-1.amazonaws.com", 443]],
    ["dual stack", ["s3.dualstack.eu-west-1.amazonaws.com", 443], ["s3.amazonaws.com", 80]],
    ["a host in capitals", ["MinIO.Internal", 9000], ["minio.internal", 9000]],
  ] as const)("%s: one store", (_, [a, portOfA], [b, portOfB]) => {
    expect(storeIdentity({ address: a, port: portOfA })).toBe(storeIdentity({ address: b, port: portOfB }));
  });

  test.each([
    ["ports", ["127.0.0.1", 9500], ["127.0.0.1", 9600]],
    ["hosts", ["minio-a", 9000], ["minio-b", 9000]],
    ["AWS and its Chinese partition", ["s3.amazonaws.com", 443], ["s3.cn-north-1.amazonaws.com.cn", 443]],
    ["AWS and its US government's", ["s3.us-east-1.amazonaws.com", 443], ["s3.us-gov-west-1.amazonaws.com", 443]],
    ["AWS and a host that only looks so", ["s3.amazonaws.com", 443], ["s3.amazonaws.com.example.org", 443]],
  ] as const)("%s: two stores", (_, [a, portOfA], [b, portOfB]) => {
    expect(storeIdentity({ address: a, port: portOfA })).not.toBe(storeIdentity({ address: b, port: portOfB }));
  });
});

test("the region of an AWS host; none in a global one, undefined elsewhere", () => {
  expect(awsRegionOfHost("s3.eu-west-1.amazonaws.com")).toBe("eu-west-1");
  expect(awsRegionOfHost("s3-ap-south-1.amazonaws.com")).toBe("ap-south-1");
  expect(awsRegionOfHost("s3.amazonaws.com")).toBe("");
  expect(awsRegionOfHost("s3-external-1.amazonaws.com")).toBe("");
  expect(awsRegionOfHost("minio.internal")).toBeUndefined();
});

describe("sameBucket", () => {
  test("credentials, root path, region and TLS do not make another bucket", () => {
    const one = storage("address: minio\nbucketName: b\nrootPath: files_A");
    const other = storage(
      "address: minio\nbucketName: b\nrootPath: files_B\nuseSSL: true\naccessKeyID: k\nsecretAccessKey: s",
    );

    expect(sameBucket(one, other)).toBe(true);
  });

  test("a name is taken once in all of AWS, and once in every other store", () => {
    const inAws = (region: string) =>
      storage(`storageType: aws\naddress: s3.${region}.amazonaws.com\nuseSSL: true\nbucketName: b`);

    expect(sameBucket(inAws("eu-west-1"), inAws("us-east-1"))).toBe(true);
    expect(sameBucket(storage("port: 9500\nbucketName: b"), storage("port: 9600\nbucketName: b"))).toBe(false);
    expect(sameBucket(storage("bucketName: a"), storage("bucketName: b"))).toBe(false);
  });
});
