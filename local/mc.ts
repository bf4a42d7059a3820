import { goProgram } from "./go-program.ts";

/** MinIO's own client, which people copy backups between stores with. Only the benchmark uses it. */
export const mc = goProgram({
  step: "mc",
  title: "mc",
  module: "github.com/minio/mc",
  version: "v0.0.0-20250313080218-cf909e1063a9",
  program: "mc",
  folder: "minio-client",
  variable: "MC_BINARY",
});
