import type { Environment } from "./environment.ts";

export interface ParseEnvironmentOptions {
  /** The name it is (to be) registered under. */
  readonly name: string;
  /** For messages: `backup.yaml`. */
  readonly fileName: string;
  /** Reads a certificate that the file names by path; a path is an error where this is absent. */
  readonly readFile?: (path: string) => string;
  /** `--set KEY=VALUE`: dotted keys of the file, or milvus-backup's names of environment variables; they win over the file. */
  readonly overrides?: Readonly<Record<string, string>>;
}

export declare function parseEnvironment(yamlText: string, options: ParseEnvironmentOptions): Environment;
