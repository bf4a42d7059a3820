import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { emptyPipeline, type PipelineConfig } from "../src/core/deployment/config.ts";
import { parsePipelineYaml } from "../src/core/deployment/yaml.ts";

/** Taken where no other file is named: beside cdk.json. */
const defaultFile = join(import.meta.dirname, "..", "pipeline.yaml");

/**
 * Reads the deploy-time file.
 * @param named path of the context key `pipeline`, from the current folder; undefined for `pipeline.yaml` beside cdk.json, if any
 * @throws where a file that was named is not there, and InvalidInput for what is in it
 */
export function readPipelineFile(named: string | undefined): PipelineConfig {
  if (named === undefined) {
    return existsSync(defaultFile)
      ? parsePipelineYaml(readFileSync(defaultFile, "utf8"), "pipeline.yaml")
      : emptyPipeline;
  }
  if (!existsSync(named)) throw new Error(`context key pipeline: there is no file ${named}`);
  return parsePipelineYaml(readFileSync(named, "utf8"), named);
}
