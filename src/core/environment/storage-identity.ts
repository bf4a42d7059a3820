import type { StorageSettings } from "./environment.ts";

/** Where an object store answers. */
type StoreAddress = Pick<StorageSettings, "address" | "port"> & Partial<Pick<StorageSettings, "type" | "credentials">>;

type BucketAddress = StoreAddress & Pick<StorageSettings, "bucket">;

/** The host of an S3 endpoint of AWS, global, regional, dual-stack or VPC; the region is the first group. */
const awsHost = /(?:^|\.)s3(?:[.-]dualstack)?(?:[.-]([a-z0-9-]+))?(?:\.vpce)?\.amazonaws\.com(?:\.cn)?$/;

/** The region in the name of an AWS endpoint, "" in a global one; undefined for a host that is not AWS's. */
export function awsRegionOfHost(address: string): string | undefined {
  const found = awsHost.exec(address.toLowerCase());
  if (found === null) return undefined;
  return found[1] === undefined || found[1] === "external-1" ? "" : found[1];
}

/**
 * Names the object store behind an address: equal for two addresses that are one store. All of AWS is one (CopyObject spans
 * regions, and a bucket's name is taken only once), but for its partitions in China and for the US government, which see nothing of
 * each other; any other store is its host and port, with TLS or without. Of Azure each account is one, of Google's own interface all of it.
 */
export function storeIdentity({ type, address, port, credentials }: StoreAddress): string {
  if (type === "gcpnative") return `gcpnative ${address.toLowerCase()}:${port}`;
  if (type === "azure" && credentials?.kind === "static") {
    return `azure ${credentials.accessKeyId.toLowerCase()} ${address.toLowerCase()}:${port}`;
  }
  const region = awsRegionOfHost(address);
  if (region === undefined) return `${address.toLowerCase()}:${port}`;
  if (address.toLowerCase().endsWith(".cn")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

/** Whether two settings mean one object store, so that it can copy between its buckets itself. */
export function sameStore(a: StoreAddress, b: StoreAddress): boolean {
  return storeIdentity(a) === storeIdentity(b);
}

/** Whether two settings mean the same bucket of the same object store, whatever credentials each uses. */
export function sameBucket(a: BucketAddress, b: BucketAddress): boolean {
  return a.bucket === b.bucket && sameStore(a, b);
}
