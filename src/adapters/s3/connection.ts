import { createHash } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { StorageCredentials, StorageSettings } from "../../core/environment/environment.ts";
import { locksObjects } from "../../core/environment/keeping.ts";
import { awsRegionOfHost, storeIdentity } from "../../core/environment/storage-identity.ts";
import { assumedRole } from "./assumed-role.ts";
import { mostInFlight, withinWhatTheStoreBears } from "./in-flight.ts";

/** One account's way into one object store; buckets of it share the client. */
export interface S3Connection {
  readonly client: S3Client;
  /** `127.0.0.1:9000`, for messages. */
  readonly address: string;
  /** What requests are signed for, for messages. */
  readonly region: string;
  /** Equal for two connections that reach one object store (storeIdentity in core). */
  readonly endpointIdentity: string;
  /** Equal for two connections that sign with the same key or role. Holds no secret. */
  readonly credentialsIdentity: string;
  /** Who signs, for messages: `access key ...min1`, `role arn:...`. */
  readonly signer: string;
  /** Google has neither UploadPartCopy nor DeleteObjects in its S3-compatible interface. */
  readonly dialect: "s3" | "gcp";
  /** Whether it is S3 itself or MinIO, with Object Lock and tags: other stores that speak S3 may take a question about those for another one. */
  readonly isWhole: boolean;
  /** true: every request says that who signs it pays. A copy says so for its source as well. */
  readonly requesterPays: boolean;
  /** The account that must own the bucket, said with every request; a copy says it of its source as well. undefined: nobody looks. */
  readonly bucketOwner: string | undefined;
}

/** Hosts other than AWS's that name buckets in front, whatever the storage type (minio-go 7.0.97: Google, Alibaba). */
const virtualHosts = /(?:^|\.)(?:storage\.googleapis\.com|aliyuncs\.com)$/;
/** The region in the host of Alibaba's OSS (`oss-cn-hangzhou[-internal].aliyuncs.com`), of Tencent's COS and of Huawei's OBS. */
const regionInHost =
  /^(?:oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com|cos\.([a-z0-9-]+)\.myqcloud\.com|obs\.([a-z0-9-]+)\.myhuaweicloud\.com)$/;

interface S3Endpoint {
  /** `https://s3.eu-west-1.amazonaws.com`, `http://127.0.0.1:9000`. */
  readonly url: string;
  readonly address: string;
  readonly region: string;
  readonly forcePathStyle: boolean;
  readonly identity: string;
}

/**
 * Where and how a store is addressed, as milvus-backup 0.5 does through minio-go: virtual-hosted for ali, tencent and hwc and for the
 * hosts of AWS, Google and Alibaba, path style for everything else (MinIO, other S3-compatible stores). A region that is not given
 * is read from the host where the host names it; minio-go asks the store for it, which takes a grant of its own.
 */
function s3Endpoint(settings: StorageSettings): S3Endpoint {
  const { type, useSSL, port } = settings;
  const given = settings.address.toLowerCase();
  const regionOfAws = awsRegionOfHost(given);
  const [, ...regionsOfHost] = regionInHost.exec(given) ?? [];
  const regionOfHost = regionOfAws || regionsOfHost.find((region) => region !== undefined);
  const region = type === "gcp" ? "auto" : settings.region || regionOfHost || "us-east-1";
  // the global host answers other regions with a redirect: ask the right one at once
  const host = given === "s3.amazonaws.com" ? `s3.${region}.amazonaws.com` : given;
  const scheme = useSSL ? "https" : "http";
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const standardPort = useSSL ? 443 : 80;
  const address = `${bracketed}:${port}`;
  const url = `${scheme}://${port === standardPort ? bracketed : address}`;
  const alwaysVirtual = type === "ali" || type === "tencent" || type === "hwc";
  // a dot in the bucket's name makes a host that no wildcard certificate covers
  const fitsCertificate = !(useSSL && settings.bucket.includes("."));
  const virtualHost = alwaysVirtual || ((regionOfAws !== undefined || virtualHosts.test(host)) && fitsCertificate);
  return { url, address, region, forcePathStyle: !virtualHost, identity: storeIdentity(settings) };
}

/**
 * Connects to the store of an environment. It always asks the address of the settings: AWS_ENDPOINT_URL and the like, which
 * redirect the pipeline's own clients, have no effect on it.
 */
export function connectS3(settings: StorageSettings): S3Connection {
  const endpoint = s3Endpoint(settings);
  const config: S3ClientConfig = {
    ...commonConfig(settings.caCert),
    endpoint: endpoint.url,
    region: endpoint.region,
    forcePathStyle: endpoint.forcePathStyle,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    responseChecksumValidation: endpoint.identity.startsWith("aws") ? "WHEN_SUPPORTED" : "WHEN_REQUIRED",
  };
  const credentials = credentialsOf(settings.credentials, endpoint.region);
  if (credentials !== undefined) config.credentials = credentials;
  return {
    client: prepared(new S3Client(config), settings),
    address: endpoint.address,
    region: endpoint.region,
    endpointIdentity: endpoint.identity,
    credentialsIdentity: credentialsIdentity(settings.credentials),
    signer: signerOf(settings.credentials),
    dialect: settings.type === "gcp" ? "gcp" : "s3",
    isWhole: locksObjects(settings.type),
    requesterPays: settings.requesterPays === true,
    bucketOwner: settings.bucketOwner,
  };
}

/** The pipeline's own S3 (work bucket), with the Lambda's role and the endpoint the SDK is configured with. */
export function connectOwnS3(): S3Connection {
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  return {
    // an endpoint that is not AWS's (an emulator) has no host names for buckets
    client: prepared(new S3Client({ ...commonConfig(), forcePathStyle: endpoint !== undefined })),
    region: process.env.AWS_REGION ?? "us-east-1",
    address: endpoint === undefined ? "s3.amazonaws.com" : new URL(endpoint).host,
    endpointIdentity: endpoint === undefined ? "aws" : identityOfUrl(new URL(endpoint)),
    credentialsIdentity: "own",
    signer: "the pipeline's own role",
    dialect: "s3",
    isWhole: true,
    requesterPays: false,
    bucketOwner: undefined,
  };
}

function commonConfig(ca?: string): S3ClientConfig {
  return {
    retryMode: "standard",
    maxAttempts: 5,
    // contents are checked by MD5 here; newer checksum headers are refused by older MinIO and by other stores
    requestChecksumCalculation: "WHEN_REQUIRED",
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 3_000,
      // the server-side copy of one large part may take minutes without a byte on the wire
      socketTimeout: 300_000,
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: mostInFlight }),
      httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: mostInFlight, ...(ca === undefined ? {} : { ca }) }),
    }),
  };
}

function credentialsOf(credentials: StorageCredentials, region: string): S3ClientConfig["credentials"] {
  if (credentials.kind === "static") {
    return {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      ...(credentials.token === "" ? {} : { sessionToken: credentials.token }),
    };
  }
  if (credentials.kind === "google") return undefined;
  return credentials.roleArn === "" ? undefined : assumedRole(credentials, region);
}

function identityOfUrl({ protocol, hostname, port }: URL): string {
  return storeIdentity({ address: hostname, port: Number(port || (protocol === "https:" ? 443 : 80)) });
}

function credentialsIdentity(credentials: StorageCredentials): string {
  if (credentials.kind === "google") return "google";
  return credentials.kind === "static"
    ? `key:${credentials.accessKeyId}`
    : `role:${credentials.roleArn}:${credentials.iamEndpoint}`;
}

function signerOf(credentials: StorageCredentials): string {
  if (credentials.kind === "iam") {
    return credentials.roleArn === "" ? "the pipeline's own role" : `role ${credentials.roleArn}`;
  }
  const accessKeyId = credentials.kind === "static" ? credentials.accessKeyId : "";
  return accessKeyId.length > 4 ? `access key ...${accessKeyId.slice(-4)}` : "the access key";
}

/** Commands that make an object, which may have an ACL. */
const makingObjects: ReadonlySet<string | undefined> = new Set([
  "PutObjectCommand",
  "CopyObjectCommand",
  "CreateMultipartUploadCommand",
]);

/** What every client gets, and what the bucket wants to be said with its requests. */
function prepared(
  client: S3Client,
  { requesterPays, acl, bucketOwner }: Pick<StorageSettings, "requesterPays" | "acl" | "bucketOwner"> = {},
): S3Client {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const request = args.request as { headers: Record<string, string> };
        if (requesterPays) request.headers["x-amz-request-payer"] = "requester";
        if (bucketOwner !== undefined) request.headers["x-amz-expected-bucket-owner"] = bucketOwner;
        if (acl !== undefined && makingObjects.has(commandName)) request.headers["x-amz-acl"] = acl;
        return next(args);
      },
    { step: "build", name: "requestsOfTheBucket" },
  );
  return withinWhatTheStoreBears(withContentMd5(client));
}

/** Commands that must carry a digest of their body. */
const digested: ReadonlySet<string | undefined> = new Set(["DeleteObjectsCommand", "PutObjectRetentionCommand"]);

/** Some commands must carry a digest of their body: Content-MD5 is the one that every S3-compatible store takes. */
function withContentMd5(client: S3Client): S3Client {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const request = args.request as { headers: Record<string, string>; body?: unknown };
      if (digested.has(context.commandName) && typeof request.body === "string") {
        for (const header of Object.keys(request.headers)) {
          if (/^x-amz-(sdk-)?checksum-/i.test(header)) delete request.headers[header];
        }
        request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
      }
      return next(args);
    },
    { step: "build", priority: "low", name: "contentMd5OfBodies" },
  );
  return client;
}
