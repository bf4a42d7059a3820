/** The package.json of the working tree, as far as the packed one is made of it. */
export interface ProjectManifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/**
 * The package.json of the packed package. All that the command and the functions need is bundled, so it depends on nothing; who uses the
 * construct brings the CDK, which the command alone does not need.
 */
export function packageManifest({ name, version, description, license, devDependencies }: ProjectManifest): object {
  const peers = Object.fromEntries(["aws-cdk-lib", "constructs"].map((peer) => [peer, devDependencies[peer]]));
  return {
    name,
    version,
    // Whoever wants it in a registry of their own takes this line out: nobody publishes it by accident.
    private: true,
    description,
    license,
    type: "module",
    engines: { node: ">=20.15" },
    bin: { "milvus-backup": "cli/bin.js" },
    exports: {
      ".": { types: "./types/infra/index.d.ts", default: "./construct/index.js" },
      "./schemas/*": "./schemas/*",
      "./package.json": "./package.json",
    },
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(Object.keys(peers).map((peer) => [peer, { optional: true }])),
  };
}
