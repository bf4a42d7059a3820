import { randomUUID } from "node:crypto";
import { CreateBucketCommand, DeleteBucketCommand } from "@aws-sdk/client-s3";
import { afterEach, expect, test, vi } from "vitest";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import type { StorageCredentials } from "../../src/core/environment/environment.ts";
import { settingsOf } from "../support/s3-stores.ts";
import { collect } from "./object-store.contract.ts";

const emulator = "http://127.0.0.1:4566";
const account = "222222222222";

afterEach(() => vi.unstubAllEnvs());

/** In the emulator a 12-digit access key is an account, and accounts do not see each other's buckets. */
test("a role of another account is assumed, and its buckets are reached", async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "111111111111");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const owner = settingsOf(`http://${account}:test@127.0.0.1:4566`);
  const ownerConnection = connectS3(owner);
  await ownerConnection.client.send(new CreateBucketCommand({ Bucket: owner.bucket }));
  const ownerStore = new S3ObjectStore(ownerConnection, owner.bucket);
  await ownerStore.putText("backup/n/meta/full_meta.json", "{}");
  const credentials: StorageCredentials = {
    kind: "iam",
    iamEndpoint: emulator,
    roleArn: `arn:aws:iam::${account}:role/reads-backups`,
    externalId: randomUUID(),
  };

  const ownRole = new S3ObjectStore(
    connectS3({ ...owner, credentials: { ...credentials, roleArn: "" } }),
    owner.bucket,
  );
  const assumed = new S3ObjectStore(connectS3({ ...owner, credentials }), owner.bucket);

  await expect(collect(ownRole.list("backup/"))).rejects.toMatchObject({ name: "StoreAccessDenied" });
  expect((await collect(assumed.list("backup/"))).map(({ key }) => key)).toEqual(["backup/n/meta/full_meta.json"]);

  await ownerStore.deletePrefix("");
  await ownerConnection.client.send(new DeleteBucketCommand({ Bucket: owner.bucket }));
});

test("between accounts that may not copy server-side the copy is streamed", async () => {
  const owner = settingsOf(`http://${account}:test@127.0.0.1:4566`);
  const other = settingsOf("http://333333333333:test@127.0.0.1:4566");
  const [from, to] = [connectS3(owner), connectS3(other)];
  await from.client.send(new CreateBucketCommand({ Bucket: owner.bucket }));
  await to.client.send(new CreateBucketCommand({ Bucket: other.bucket }));
  const source = new S3ObjectStore(from, owner.bucket);
  await source.putText("log", "content");
  const [object] = await collect(source.list("log"));
  if (object === undefined) throw new Error("the test did not put the object");

  const automatic = new S3ObjectStore(to, other.bucket);
  const serverSide = new S3ObjectStore(to, other.bucket, { copyMode: "server-side" });

  await expect(serverSide.copyFrom(source, object, "server-side")).rejects.toMatchObject({ kind: "permanent" });
  await automatic.copyFrom(source, object, "streamed");
  expect(await automatic.getText("streamed")).toBe("content");

  for (const store of [source, automatic]) await store.deletePrefix("");
  await from.client.send(new DeleteBucketCommand({ Bucket: owner.bucket }));
  await to.client.send(new DeleteBucketCommand({ Bucket: other.bucket }));
});
