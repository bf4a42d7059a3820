import packageJson from "../../../package.json" with { type: "json" };

/** The release of this pipeline, as the manifests it writes name it. */
export const pipelineVersion: string = packageJson.version;
