/** The local stack for tests, benchmarks and the demo: real Milvus servers and an AWS emulator, from packages. */
export { aws, awsEnvironment, s3Client, stackName } from "./aws.ts";
export { backupYaml } from "./backup-yaml.ts";
export { cloudEnvironments } from "./cloud-environments.ts";
export { type MilvusService, milvusService } from "./milvus.ts";
export { minioClient, minioService } from "./minio.ts";
export { minioEnvironments } from "./minio-environments.ts";
export { formatReport, type StepReport } from "./reporter.ts";
export { type Service, startService, stopService } from "./service.ts";
export { backupPlace, down, stackInfo, status, up } from "./stack.ts";
