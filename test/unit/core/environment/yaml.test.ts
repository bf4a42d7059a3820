import { describe, expect, test } from "vitest";
import { environmentVariables } from "../../../../src/core/environment/keys.ts";
import {
  type ParseEnvironmentOptions,
  parseEnvironment,
  readEnvironment,
} from "../../../../src/core/environment/yaml.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";

function parse(yaml: string, options: Partial<ParseEnvironmentOptions> = {}) {
  return parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml", ...options });
}

function failure(yaml: string, options: Partial<ParseEnvironmentOptions> = {}): PipelineError {
  try {
    parse(yaml, options);
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("expected InvalidEnvironment");
}

const minioKeys = { kind: "static", accessKeyId: "minioadmin", secretAccessKey: "minioadmin", token: "" };

describe("defaults", () => {
  test("an empty file is milvus-backup's defaults", () => {
    const storage = {
      type: "minio",
      address: "localhost",
      port: 9000,
      useSSL: false,
      region: "",
      bucket: "a-bucket",
      rootPath: "files",
      credentials: minioKeys,
    };

    expect(parse("")).toEqual({
      name: "prod",
      milvus: {
        address: "localhost",
        port: 19530,
        user: "",
        password: "",
        tlsMode: 0,
        serverName: "",
        caCert: "",
        mtlsCert: "",
        mtlsKey: "",
      },
      storage,
      backupStorage: storage,
      crossStorage: false,
      copyMode: "auto",
      multipartCopyThresholdBytes: 500 * 2 ** 20,
      gcPause: { enable: true, address: "http://localhost:9091" },
      keepTempFiles: false,
      parallelism: { importJob: 768 },
      protected: false,
    });
  });

  test.each([
    ["milvus:\n  address: milvus.internal\n", "http://milvus.internal:9091"],
    ["milvus:\n  address: fd00::1\n", "http://[fd00::1]:9091"],
    ["milvus:\n  address: a\nbackup:\n  gcPause:\n    address: http://b:9101\n", "http://b:9101"],
  ])("garbage collection is paused on the host of Milvus unless another one is given: %j", (yaml, address) => {
    expect(parse(yaml).gcPause.address).toBe(address);
  });

  test("the backup root path is `backup` where Milvus has no root path, and Milvus's otherwise", () => {
    expect(parse('minio:\n  rootPath: ""\n').backupStorage.rootPath).toBe("backup");
    expect(parse("minio:\n  rootPath: /files/a/\n").backupStorage.rootPath).toBe("files/a");
  });
});

describe("keys", () => {
  test("that mean something are read in a section of which the rest means nothing here", () => {
    const yaml = "backup:\n  parallelism:\n    copydata: 128\n    importJob: 4\n";

    expect(parse(yaml).parallelism).toEqual({ importJob: 4 });
    expect(() => parse(yaml.replace("4", "many"))).toThrow(
      /backup\.yaml:4: backup\.parallelism\.importJob must be a whole number/,
    );
  });

  test("are read whatever their case, and values in quotes or not", () => {
    const { milvus, storage } = parse(
      'MILVUS:\n  Address: milvus.internal\n  port: "19540"\nMinio:\n  usessl: "true"\n',
    );

    expect(milvus).toMatchObject({ address: "milvus.internal", port: 19540 });
    expect(storage.useSSL).toBe(true);
  });

  test("keep the text of numbers that are meant as text", () => {
    const { credentials } = parse("minio:\n  accessKeyID: 007\n  secretAccessKey: 1e5\n").storage;

    expect(credentials).toMatchObject({ accessKeyId: "007", secretAccessKey: "1e5" });
  });

  test("without a value count as absent, as in milvus-backup", () => {
    expect(parse("milvus:\n  address:\nminio:\n").milvus.address).toBe("localhost");
  });

  test("of the storage section come before those of minio", () => {
    const yaml = "storage:\n  storageType: s3\nminio:\n  storageType: aws\n  cloudProvider: gcp\n";
    expect(parse(yaml).storage.type).toBe("s3");
    expect(parse("minio:\n  cloudProvider: aws\n").storage.type).toBe("aws");
  });

  test.each([
    ["log", "log:\n  level: debug\n  file:\n    filename: x\n    maxSize: 1\n"],
    ["http", "http:\n  enabled: true\n"],
    ["cloud", "cloud:\n  address: https://api.cloud.zilliz.com\n  apikey: secret\n"],
    ["etcd", "milvus:\n  etcd:\n    endpoints: a:1\n"],
    [
      "native Google credentials of no Google store",
      "minio:\n  gcpCredentialJSON: /a\n  backupGcpCredentialJSON: /b\n",
    ],
    ["former keys", "backup:\n  maxSegmentGroupSize: 2G\n  gcPause:\n    seconds: 7200\n"],
    ["parallelism", "backup:\n  parallelism:\n    backupCollection: 4\n    backupSegment: 1024\n    copydata: 8\n"],
  ])("without meaning here are accepted: %s", (_, yaml) => {
    expect(parse(yaml)).toEqual(parse(""));
  });

  test("of an alias are followed", () => {
    expect(parse("minio:\n  bucketName: &bucket shared\n  backupBucketName: *bucket\n").backupStorage.bucket).toBe(
      "shared",
    );
  });
});

describe("inheritance of the backup store", () => {
  const primary = [
    "minio:",
    "  storageType: aws",
    "  address: s3.eu-west-1.amazonaws.com",
    "  port: 443",
    "  region: eu-west-1",
    "  useSSL: true",
    "  accessKeyID: AKIAPRIMARY",
    "  secretAccessKey: primary-secret",
    "  token: primary-token",
    "  bucketName: bucket-a",
    "  rootPath: files",
  ].join("\n");

  test("everything that is not given is the primary's", () => {
    const { storage, backupStorage } = parse(primary);
    expect(backupStorage).toEqual(storage);
  });

  test("what is given is its own, and other keys do not take the primary's session token", () => {
    const own = [
      "  backupStorageType: minio",
      "  backupAddress: minio.internal",
      "  backupPort: 9000",
      "  backupUseSSL: false",
      "  backupAccessKeyID: BACKUP",
      "  backupSecretAccessKey: backup-secret",
      "  backupBucketName: bucket-b",
      "  backupRootPath: backup",
    ].join("\n");

    expect(parse(`${primary}\n${own}\n`).backupStorage).toEqual({
      type: "minio",
      address: "minio.internal",
      port: 9000,
      useSSL: false,
      region: "eu-west-1",
      bucket: "bucket-b",
      rootPath: "backup",
      credentials: { kind: "static", accessKeyId: "BACKUP", secretAccessKey: "backup-secret", token: "" },
    });
  });

  test("a missing backup bucket is Milvus's own", () => {
    expect(parse("minio:\n  bucketName: bucket-a\n").backupStorage.bucket).toBe("bucket-a");
  });
});

describe("credentials", () => {
  const role = { kind: "iam", iamEndpoint: "", roleArn: "", externalId: "" };
  const arn = "arn:aws:iam::111122223333:role/backups";

  test.each([
    ["useIAM", "minio:\n  useIAM: true\n", role, role],
    ["keys explicitly empty", 'minio:\n  accessKeyID: ""\n  secretAccessKey: ""\n', role, role],
    ["a role", `minio:\n  roleArn: ${arn}\n`, { ...role, roleArn: arn }, { ...role, roleArn: arn }],
    [
      "a role with its external ID and endpoint",
      `minio:\n  useIAM: true\n  roleArn: ${arn}\n  externalId: x1\n  iamEndpoint: https://sts.example\n`,
      { ...role, roleArn: arn, externalId: "x1", iamEndpoint: "https://sts.example" },
      { ...role, roleArn: arn, externalId: "x1", iamEndpoint: "https://sts.example" },
    ],
    ["a role for backups only", `minio:\n  backupRoleArn: ${arn}\n`, minioKeys, { ...role, roleArn: arn }],
    ["a role for Milvus only", `minio:\n  roleArn: ${arn}\n  backupRoleArn: ""\n`, { ...role, roleArn: arn }, role],
    [
      "the role for Milvus, keys for backups",
      "minio:\n  useIAM: true\n  backupUseIAM: false\n  backupAccessKeyID: minioadmin\n  backupSecretAccessKey: minioadmin\n",
      role,
      minioKeys,
    ],
    [
      "useIAM wins over keys for backups that stand in the file, as in milvus-backup",
      "minio:\n  useIAM: true\n  backupAccessKeyID: minioadmin\n  backupSecretAccessKey: minioadmin\n",
      role,
      role,
    ],
  ])("%s", (_, yaml, storage, backupStorage) => {
    const environment = parse(yaml);
    expect(environment.storage.credentials).toEqual(storage);
    expect(environment.backupStorage.credentials).toEqual(backupStorage);
  });

  test.each([
    [
      "a role beside keys",
      "minio:\n  accessKeyID: A\n  secretAccessKey: B\n  roleArn: arn:aws:x\n",
      "minio.roleArn",
      4,
    ],
    ["half of a key", 'minio:\n  accessKeyID: ""\n  secretAccessKey: B\n', "minio.accessKeyID", 2],
    ["the other half", 'minio:\n  accessKeyID: A\n  secretAccessKey: ""\n', "minio.secretAccessKey", 3],
    ["a role at Google", "minio:\n  storageType: gcp\n  useIAM: true\n", "minio.storageType", 2],
    ["a role at Alibaba", "minio:\n  storageType: ali\n  useIAM: true\n", "minio.storageType", 2],
    ["a token at Google", "minio:\n  storageType: gcp\n  token: t\n", "minio.token", 3],
  ])("%s is refused", (_, yaml, key, line) => {
    const error = failure(yaml);
    expect(error.details).toEqual({ file: "backup.yaml", line, key });
    expect(error.message).toContain(`backup.yaml:${line}: ${key}`);
  });
});

describe("stores", () => {
  test.each([
    ["minio", "minio"],
    ["s3", "s3"],
    ["aws", "aws"],
    ["gcp", "gcp"],
    ["ali", "ali"],
    ["aliyun", "ali"],
    ["alibaba", "ali"],
    ["alicloud", "ali"],
    ["tc", "tencent"],
    ["tencent", "tencent"],
    ["hwc", "hwc"],
  ])("%s is %s", (written, type) => {
    expect(parse(`minio:\n  storageType: ${written}\n`).storage.type).toBe(type);
  });

  test("Google's address is filled in, with TLS", () => {
    expect(parse("minio:\n  storageType: gcp\n").storage).toMatchObject({
      address: "storage.googleapis.com",
      port: 443,
      useSSL: true,
    });
    const backupOnly = parse("minio:\n  address: minio.internal\n  backupStorageType: gcp\n").backupStorage;
    expect(backupOnly).toMatchObject({ address: "storage.googleapis.com", port: 443, useSSL: true });
  });

  test("what is no kind of store is refused with those that are supported", () => {
    const error = failure("milvus:\n  port: 1\nminio:\n  backupStorageType: floppy\n");

    expect(error.name).toBe("InvalidEnvironment");
    expect(error.message).toContain(`backup.yaml:4: minio.backupStorageType is "floppy"`);
    expect(error.message).toContain(
      "minio, s3, aws, gcp (with HMAC keys), gcpnative, azure, ali (aliyun, alibaba, alicloud), tencent (tc), hwc",
    );
  });

  test("the disk of a machine is refused with what to do", () => {
    const { message } = failure("minio:\n  storageType: local\n");

    expect(message).toContain("minio.storageType is local, the disk of Milvus's machine, which no Lambda reaches");
    expect(message).toContain("back up with milvus-backup on that machine");
  });

  describe("of Azure", () => {
    const azure = "minio:\n  storageType: azure\n";
    const keyed = `${azure}  accessKeyID: account1\n  secretAccessKey: a2V5\n`;

    test("are at Azure, over TLS, as account and key", () => {
      expect(parse(keyed).storage).toMatchObject({
        type: "azure",
        address: "core.windows.net",
        port: 443,
        useSSL: true,
        credentials: { kind: "static", accessKeyId: "account1", secretAccessKey: "a2V5", token: "" },
      });
      // as the example file of milvus-backup has it, which asks by TLS whatever it says
      const example = `${keyed}  address: core.windows.net\n  port: 443\n  useSSL: false\n`;
      expect(parse(example).storage).toMatchObject({ useSSL: true });
    });

    test("may be another server, in plain HTTP where it is a bare address", () => {
      const bare = `${keyed}  address: 127.0.0.1\n  port: 10000\n  useSSL: false\n`;

      expect(parse(bare).storage).toMatchObject({ address: "127.0.0.1", port: 10000, useSSL: false });
    });

    test("take a shared access signature in place of the key", () => {
      const { storage, backupStorage } = parse(`${azure}  accessKeyID: account1\n  token: "?sv=1&sig=s"\n`);

      const credentials = { kind: "static", accessKeyId: "account1", secretAccessKey: "", token: "?sv=1&sig=s" };
      expect([storage.credentials, backupStorage.credentials]).toEqual([credentials, credentials]);
    });

    test.each([
      [
        "DefaultEndpointsProtocol=https;AccountName=account1;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn",
        { address: "core.chinacloudapi.cn", port: 443, useSSL: true },
      ],
      [
        "DefaultEndpointsProtocol=http;AccountName=account1;AccountKey=a2V5==;BlobEndpoint=http://127.0.0.1:10000/account1;",
        { address: "127.0.0.1", port: 10000, useSSL: false },
      ],
      [
        "BlobEndpoint=https://account1.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=s",
        { address: "core.windows.net", port: 443, useSSL: true },
      ],
    ])("take a connection string: %s", (connectionString, endpoint) => {
      const { storage } = parse(`${azure}  connectionString: "${connectionString}"\n`);

      expect(storage).toMatchObject(endpoint);
      expect(storage.credentials).toMatchObject({ accessKeyId: "account1" });
    });

    test("as the place of backups are another account than that of Milvus where one is named", () => {
      const own = parse(`${keyed}  backupAccessKeyID: account2\n  backupSecretAccessKey: b3RoZXI=\n`).backupStorage;
      expect(own.credentials).toEqual({
        kind: "static",
        accessKeyId: "account2",
        secretAccessKey: "b3RoZXI=",
        token: "",
      });
      const across = parse(
        "minio:\n  address: minio.internal\n  backupStorageType: azure\n  backupAccessKeyID: account2\n  backupSecretAccessKey: b3RoZXI=\n",
      );
      expect(across.storage).toMatchObject({ type: "minio", address: "minio.internal" });
      expect(across.backupStorage).toMatchObject({ type: "azure", address: "core.windows.net", port: 443 });
      const back = parse(
        `${keyed}  backupStorageType: minio\n  backupAddress: minio.internal\n  backupAccessKeyID: A\n  backupSecretAccessKey: B\n`,
      ).backupStorage;
      expect(back).toMatchObject({ type: "minio", address: "minio.internal", port: 9000, useSSL: false });
    });

    test.each([
      ["no account", azure, "minio.accessKeyID is missing: with azure it is the account's name"],
      ["no key", `${azure}  accessKeyID: account1\n`, "minio.secretAccessKey is missing"],
      ["a name that is none", `${azure}  accessKeyID: My_Account\n  secretAccessKey: x\n`, "is no name of an account"],
      ["a managed identity", `${keyed}  useIAM: true\n`, "managed identities exist on machines of Azure only"],
      ["another text", `${azure}  connectionString: "s3cret"\n`, "is no connection string"],
      [
        "no secret",
        `${azure}  connectionString: "AccountName=account1"\n`,
        "neither AccountKey nor SharedAccessSignature",
      ],
    ])("are refused with %s", (_, yaml, says) => {
      const { name, message } = failure(yaml);

      expect(name).toBe("InvalidEnvironment");
      expect(message).toContain(says);
      expect(message).not.toContain("s3cret");
    });
  });

  describe("of Google's own interface", () => {
    const native = "minio:\n  storageType: gcpnative\n";
    const file = `${native}  gcpCredentialJSON: key.json\n`;

    test("have the JSON of a service account, from its file", () => {
      const json = '{"type":"service_account","client_email":"a@b"}';
      const { storage, backupStorage } = parse(file, { readFile: () => json });

      expect(storage).toMatchObject({
        type: "gcpnative",
        address: "storage.googleapis.com",
        port: 443,
        useSSL: true,
        credentials: { kind: "google", json },
      });
      expect(backupStorage.credentials).toEqual(storage.credentials);
    });

    test.each([
      ["no file", native, "", "minio.gcpCredentialJSON is missing"],
      ["a JSON that is no service account", file, '{"type":"s3cret"}', "no service account"],
      ["no JSON", file, "s3cret", "no service account"],
    ])("are refused with %s", (_, yaml, content, says) => {
      const { name, message } = failure(yaml, { readFile: () => content });

      expect(name).toBe("InvalidEnvironment");
      expect(message).toContain(says);
      expect(message).not.toContain("s3cret");
    });
  });

  test("an empty bucket is refused", () => {
    expect(failure('minio:\n  bucketName: ""\n').message).toContain("minio.bucketName is empty");
  });
});

describe("keys of encrypted databases", () => {
  const yaml = "milvus:\n  ezkMappingPath: keys.json\n";

  test("are read from the file that is named", () => {
    const readFile = () => ' { "old": "new" }\n';
    expect(parse(yaml, { readFile }).milvus.ezkMapping).toBe('{"old":"new"}');
    expect(parse("").milvus).not.toHaveProperty("ezkMapping");
  });

  test.each(["no JSON s3cret", '["s3cret"]', '{"s3cret": 1}', '{"s3cret": ""}'])(
    "%s is refused, and not repeated",
    (text) => {
      const { message } = failure(yaml, { readFile: () => text });
      expect(message).toContain("milvus.ezkMappingPath names a file that is no JSON of the form");
      expect(message).not.toContain("s3cret");
    },
  );
});

describe("TLS to Milvus", () => {
  const readFile = (path: string) => {
    if (path === "/missing") throw new Error("ENOENT: no such file");
    return `PEM of ${path}`;
  };
  const paths = "  caCertPath: /ca\n  mtlsCertPath: /cert\n  mtlsKeyPath: /key\n";

  test("certificates are read for the modes that use them", () => {
    expect(parse(`milvus:\n  tlsMode: 0\n${paths}`, { readFile }).milvus).toMatchObject({ caCert: "", mtlsCert: "" });
    expect(parse(`milvus:\n  tlsMode: 1\n${paths}`, { readFile }).milvus).toMatchObject({
      tlsMode: 1,
      caCert: "PEM of /ca",
      mtlsCert: "",
    });
    expect(parse(`milvus:\n  tlsMode: 2\n${paths}`, { readFile }).milvus).toMatchObject({
      tlsMode: 2,
      caCert: "PEM of /ca",
      mtlsCert: "PEM of /cert",
      mtlsKey: "PEM of /key",
    });
  });

  test("mutual TLS without a client's certificate is one-way TLS, as in milvus-backup", () => {
    expect(parse("milvus:\n  tlsMode: 2\n").milvus.tlsMode).toBe(1);
  });

  test.each([
    ["a mode that does not exist", "milvus:\n  tlsMode: 3\n", "milvus.tlsMode must be 0 (off), 1"],
    ["a file that cannot be read", "milvus:\n  tlsMode: 1\n  caCertPath: /missing\n", "cannot be read: ENOENT"],
    [
      "a certificate without its key",
      "milvus:\n  tlsMode: 2\n  mtlsCertPath: /cert\n",
      "milvus.mtlsKeyPath is missing",
    ],
  ])("%s is refused", (_, yaml, message) => {
    expect(failure(yaml, { readFile }).message).toContain(message);
  });

  test("a path is refused where nothing can be read", () => {
    expect(failure("milvus:\n  tlsMode: 1\n  caCertPath: /ca\n").details).toMatchObject({
      key: "milvus.caCertPath",
      line: 3,
    });
  });
});

describe("bad files", () => {
  test.each([
    ["an unknown key", "milvus:\n  prot: 19530\n", "milvus.prot", 2, "did you mean milvus.port?"],
    [
      "a key in the wrong section",
      "milvus:\n  bucketName: a\n",
      "milvus.bucketName",
      2,
      "did you mean minio.bucketName?",
    ],
    ["an unknown section", "\n\nminoi:\n  address: a\n", "minoi", 3, "is not a known key"],
    ["text for a number", "milvus:\n  port: abc\n", "milvus.port", 2, 'must be a whole number, but is "abc"'],
    ["a port out of range", "minio:\n  port: 70000\n", "minio.port", 2, "must be a port, 1 to 65535"],
    ["text for a switch", "minio:\n  useSSL: maybe\n", "minio.useSSL", 2, "must be true or false"],
    [
      "a mode that does not exist",
      "minio:\n  copyMode: fast\n",
      "minio.copyMode",
      2,
      "must be auto, server-side or streamed",
    ],
    [
      "a server-side copy between two stores",
      "minio:\n  copyMode: server-side\n  backupAddress: other.internal\n",
      "minio.copyMode",
      2,
      "Milvus's bucket (localhost:9000) and the backups (other.internal:9000) are in different object stores",
    ],
    [
      "a server-side copy that must not be one",
      "minio:\n  crossStorage: true\n  copyMode: server-side\n",
      "minio.copyMode",
      3,
      "crossStorage: true says never to copy so",
    ],
    ["a list for a value", "minio:\n  bucketName: [a, b]\n", "minio.bucketName", 2, "must be a single value"],
    ["a section for a value", "minio:\n  bucketName:\n    a: b\n", "minio.bucketName", 2, "must be a single value"],
    ["a value for a section", "milvus: localhost\n", "milvus", 1, "must be a section"],
    ["a key given twice", "minio:\n  Port: 1\n  port: 2\n", "minio.port", 3, "is given twice"],
    ["the very same key twice", "minio:\n  port: 1\n  port: 2\n", "port", 3, "not valid YAML"],
    ["a tab", "milvus:\n\tport: 1\n", "port", 2, "not valid YAML: Tabs are not allowed"],
    ["an open bracket", "milvus: [1, 2\n", "milvus", 1, "not valid YAML"],
    ["an open quote", 'minio:\n  address: "a\n\n', "address", 2, "not valid YAML"],
  ])("%s names file, line and key", (_, yaml, key, line, problem) => {
    const error = failure(yaml);

    expect(error.name).toBe("InvalidEnvironment");
    expect(error.details).toEqual({ file: "backup.yaml", line, key });
    expect(error.message).toContain(`backup.yaml:${line}: ${key} `);
    expect(error.message).toContain(problem);
  });

  test.each(["- 1\n", "just text\n"])("a file that holds no sections is refused: %j", (yaml) => {
    expect(failure(yaml).message).toContain("must hold sections");
  });

  test.each([
    'minio:\n  secretAccessKey: "hunter2\n',
    "minio:\n  secretAccessKey: hunter2: x\n",
    "minio:\n  secretAccessKey: [hunter2]\n",
    "minio:\n  secretAccessKey: {hunter2: hunter2}\n",
    "milvus:\n  password: hunter2\n password: hunter2\n",
    "milvus:\n  password: 'hunter2' hunter2\n",
    "milvus:\n  password: *hunter2\n",
  ])("a secret never appears in the message: %j", (yaml) => {
    const error = failure(yaml);
    expect(error.message + JSON.stringify(error.details)).not.toContain("hunter2");
  });
});

describe("environment variables", () => {
  const variables = { MILVUS_PORT: "19540", MINIO_BUCKET_NAME: "of-the-variable" };

  test("win over the file, and --set over them", () => {
    const environment = parse("minio:\n  bucketName: first\nmilvus:\n  port: 1\n", {
      variables,
      overrides: { "minio.bucketName": "of-the-option" },
    });

    expect(environment.milvus.port).toBe(19540);
    expect(environment.storage.bucket).toBe("of-the-option");
  });

  test("are those that are set and stand for a key, as milvus-backup reads them", () => {
    const env = {
      ...variables,
      MILVUS_USER: "",
      MINIO_TOKEN: undefined,
      BACKUP_PARALLELISM_COPYDATA: "8",
      PATH: "/bin",
    };

    expect(environmentVariables(env)).toEqual(variables);
  });

  test("a wrong one is named", () => {
    const { message } = failure("", { variables: { MILVUS_PORT: "abc" } });

    expect(message).toBe('environment variable MILVUS_PORT: milvus.port must be a whole number, but is "abc"');
  });

  test("where each value comes from is told", () => {
    const yaml = "minio:\n  bucketName: first\n  rootPath: files\n";
    const options = { name: "prod", fileName: "backup.yaml", variables: { MINIO_BUCKET_NAME: "b" } };

    const { origins } = readEnvironment(yaml, { ...options, overrides: { "milvus.port": "1" } });

    expect(Object.fromEntries(origins)).toEqual({
      "minio.bucketName": { variable: "MINIO_BUCKET_NAME" },
      "minio.rootPath": { line: 3 },
      "milvus.port": "--set",
    });
  });
});

describe("--set", () => {
  test("takes milvus-backup's variable for a key without meaning here", () => {
    expect(parse("", { overrides: { BACKUP_PARALLELISM_COPYDATA: "8" } })).toEqual(parse(""));
  });

  test("wins over the file, by key in any case or by milvus-backup's name of the environment variable", () => {
    const overrides = { "MINIO.bucketname": "other", MILVUS_PORT: "19540", "minio.backupRootPath": "elsewhere" };
    const environment = parse("minio:\n  bucketName: first\nmilvus:\n  port: 1\n", { overrides });

    expect(environment.storage.bucket).toBe("other");
    expect(environment.milvus.port).toBe(19540);
    expect(environment.backupStorage).toMatchObject({ bucket: "other", rootPath: "elsewhere" });
  });

  test.each([
    [{ "minio.prot": "1" }, "--set: minio.prot is not a known key; did you mean minio.port?"],
    [{ "milvus.port": "abc" }, '--set: milvus.port must be a whole number, but is "abc"'],
  ])("%j is refused", (overrides: Record<string, string>, message) => {
    expect(failure("", { overrides }).message).toBe(message);
  });
});
