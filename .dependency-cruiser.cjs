/** Which folder may import which: `core <- ports <- steps <- functions, cli`; each rule says why it is there. */
const folder = (name) => `^(?:src/)?${name}/`;
const ours = "^(?:src|functions|cli|infra|packaging|local|measure|demo|bench|test)/";

/** What a folder may import of this project, besides itself; everything else is forbidden. */
const only = (name, allowed, comment) => ({
  name: `${name}-imports-only-${allowed.join("-and-") || "itself"}`,
  severity: "error",
  comment,
  from: { path: folder(name) },
  to: { path: ours, pathNot: [name, ...allowed].map(folder) },
});

/** The rooms of a layer, each with the rooms of it that it may import: an order, so that each can be read without those behind it. */
const rooms = (layer, order, comment) =>
  Object.entries(order).map(([room, allowed]) => ({
    name: `${layer}-${room}-imports-only-${allowed.join("-and-") || "itself"}`,
    severity: "error",
    comment,
    from: { path: `^src/${layer}/${room}/` },
    to: { path: `^src/${layer}/`, pathNot: [room, ...allowed].map((name) => `^src/${layer}/${name}/`) },
  }));

const coreRooms = {
  execution: [],
  format: ["execution"],
  milvus: ["execution", "format"],
  environment: ["execution"],
  binlog: ["execution", "format", "milvus"],
  filter: ["execution", "format", "binlog"],
  plan: ["execution", "format", "milvus", "environment"],
  deployment: ["execution", "format", "milvus", "environment"],
  report: ["execution", "format", "milvus", "deployment"],
  check: ["execution", "format", "environment", "deployment"],
};

const stepRooms = {
  shared: [],
  catalog: ["shared"],
  // Which segments may share a directory, the keys of their rows tell.
  copy: ["shared", "rows"],
  // Which segments hold the same rows, while a clustering compaction is under way.
  backup: ["shared", "rows"],
  // Rows of small partitions are read, and inserted.
  restore: ["shared", "rows"],
  transfer: ["shared"],
  verify: ["shared", "rows"],
  // A drill runs a restore, drops what that made, and reads the rows that it should have brought.
  drill: ["shared", "catalog", "restore", "rows"],
  events: ["shared", "catalog"],
  // An export writes what a reader of rows answers.
  export: ["shared", "rows"],
  rows: ["shared"],
  report: ["shared", "catalog"],
  check: ["shared"],
};

module.exports = {
  forbidden: [
    ...rooms(
      "core",
      coreRooms,
      "The ground (messages, errors, work files) knows nobody; the format knows no Milvus; plans know both; a deployment is told in names.",
    ),
    {
      name: "core-and-steps-have-rooms",
      severity: "error",
      comment:
        "A file beside the rooms belongs into one of them: the folder says what its name need not. A new room belongs into their order.",
      from: {},
      to: {
        path: "^src/(?:core|steps)/",
        pathNot: [
          ...Object.keys(coreRooms).map((room) => `^src/core/${room}/`),
          ...Object.keys(stepRooms).map((room) => `^src/steps/${room}/`),
        ],
      },
    },
    ...rooms(
      "steps",
      stepRooms,
      "A machine's steps do not know another machine's: what two of them need is shared, or read from the catalog of backups.",
    ),
    only(
      "core",
      [],
      "The core is rules and records: whoever needs them must not get adapters, SDKs or a server with them.",
    ),
    {
      name: "core-does-no-io",
      severity: "error",
      comment:
        "The core runs the same everywhere and is tested without anything around it: of Node it may compute hashes, nothing more.",
      from: { path: folder("core") },
      to: { dependencyTypes: ["core"], pathNot: "^(?:node:)?crypto$" },
    },
    {
      name: "core-packages-are-parsers",
      severity: "error",
      comment:
        "Of packages the core takes what parses and prints; a client or a framework there would be I/O by the back door.",
      from: { path: folder("core") },
      to: { path: "node_modules/", pathNot: "node_modules/(?:zod|yaml|lossless-json|croner)/" },
    },
    only(
      "ports",
      ["core"],
      "A port says what steps need, in words of the core: an adapter in it would tie every step to one server.",
    ),
    only(
      "steps",
      ["core", "ports"],
      "Steps run against any adapter, in a Lambda or in a test: who starts them wires the real ones.",
    ),
    {
      name: "steps-use-no-sdk",
      severity: "error",
      comment:
        "What AWS or Milvus needs belongs behind a port: steps that call an SDK cannot be tested without its server.",
      from: { path: `${folder("steps")}|${folder("ports")}` },
      to: { path: "node_modules/(?:@aws-sdk|@zilliz|@grpc|@smithy|@middy|@aws-lambda-powertools)/" },
    },
    only(
      "adapters",
      ["core", "ports"],
      "An adapter fulfils a port; one that knew steps could not be exchanged for another.",
    ),
    only(
      "page",
      ["core"],
      "A page shows a report that somebody made: it asks nobody, so that the same report is the same page in a Lambda and at the terminal.",
    ),
    {
      ...only(
        "functions",
        ["core", "ports", "steps", "adapters", "page"],
        "Functions wire steps and adapters; the terminal and the CDK app are not theirs.",
      ),
      from: { path: folder("functions"), pathNot: "^functions/serve-api/" },
    },
    {
      ...only(
        "functions",
        ["core", "ports", "steps", "adapters", "cli"],
        "The API in an account is `milvus-backup server` behind API Gateway: a request is what the verb of that name does, with all that it checks first.",
      ),
      name: "serve-api-is-the-command-behind-api-gateway",
      from: { path: "^functions/serve-api/" },
    },
    only(
      "cli",
      ["core", "ports", "steps", "adapters", "page"],
      "The command starts executions and reads backups; it shares steps with the functions, not their handlers.",
    ),
    {
      name: "cli-pipeline-knows-no-terminal",
      severity: "error",
      comment:
        "It tells how an execution goes, to whoever asks: the output draws that and the actions wait for it, and an arrow back would make one of the three.",
      from: { path: "^cli/pipeline/" },
      to: { path: "^cli/", pathNot: "^cli/(?:pipeline/|errors\\.ts$)" },
    },
    {
      name: "cli-documents-know-no-command",
      severity: "error",
      comment: "They say what programs read: whoever prints one imports it, and what prints it may change without it.",
      from: { path: "^cli/documents/" },
      to: { path: "^cli/", pathNot: "^cli/documents/" },
    },
    {
      name: "cli-output-knows-no-verb",
      severity: "error",
      comment: "What is shown depends on what came out, not on the command line that asked for it.",
      from: { path: "^cli/output/" },
      to: { path: "^cli/", pathNot: "^cli/(?:output|pipeline|documents)/" },
    },
    {
      name: "cli-actions-are-imported-when-they-run",
      severity: "error",
      comment: "All verbs are read for every --help: what an action needs is loaded with that one action.",
      from: { path: "^cli/", pathNot: "^cli/(?:actions|server)/" },
      to: { path: "^cli/(?:actions|server)/", dynamic: false },
    },
    {
      name: "cli-verbs-say-only-their-options",
      severity: "error",
      comment: "What a verb's file imports is loaded for every --help, whichever verb is meant.",
      from: { path: "^cli/verbs/" },
      to: {
        path: ours,
        // The context is types only; the rule above is about actions.
        pathNot: "^cli/(?:verbs/|actions/|output/output\\.ts$|(?:context|options|errors)\\.ts$)",
      },
    },
    only(
      "infra",
      ["core"],
      "The CDK app knows names and messages: code it imported would run at synthesis, not in the Lambda.",
    ),
    only(
      "packaging",
      ["core", "infra", "cli"],
      "It builds what is installed elsewhere and describes what people write and programs read: nothing of it runs there.",
    ),
    only(
      "local",
      ["core"],
      "The local stack stands beside the pipeline: it starts servers and deploys, and must not depend on what it hosts.",
    ),
    only(
      "measure",
      ["local"],
      "Measuring times what runs on the local stack, from outside: through the command and AWS, as anyone who uses the pipeline does.",
    ),
    only(
      "demo",
      ["local", "measure"],
      "The demo shows what a person has: it types commands and asks Milvus; code of the pipeline in it would show something else.",
    ),
    only(
      "bench",
      ["local", "measure", "adapters", "core"],
      "The benchmark measures the command, and beside it the adapter's copies alone; nothing in between, so that a figure says what it is of.",
    ),
    {
      name: "only-tests-import-tests",
      severity: "error",
      comment: "What only tests need is not shipped: helpers of the tests stay out of the product.",
      from: { pathNot: "^test/" },
      to: { path: "^test/" },
    },
    {
      name: "only-copy-without-milvus",
      severity: "error",
      comment:
        "The copy function starts in a fraction of a second because the 2 MB of the Milvus SDK are not in its bundle.",
      from: { path: "^functions/copy-segments/" },
      to: { path: "node_modules/@zilliz/", reachable: true },
    },
    {
      name: "functions-read-no-payloads",
      severity: "error",
      comment:
        "The readers of Parquet take 7 MB: the Lambdas that look into binlogs have them in a file beside their bundles, and load it when they read rows or their keys.",
      from: {
        path: "^functions/",
        pathNot:
          "^functions/(?:copy-segments|search-drill|read-rows|export-segments|import-segments|prepare-backup|prepare-restore)/",
      },
      to: { path: "node_modules/(?:parquet-wasm|apache-arrow)/", reachable: true },
    },
    {
      name: "no-circles",
      severity: "error",
      comment: "Two files that import each other are one file in two places, and which of them runs first is chance.",
      from: {},
      to: { circular: true },
    },
    {
      name: "nothing-missing",
      severity: "error",
      comment:
        "An import that cannot be resolved, or a package that package.json does not name, works on one machine only.",
      from: {},
      // Types only: @types/aws-lambda describes a package that does not exist.
      to: { couldNotResolve: true, pathNot: "^aws-lambda$" },
    },
    {
      name: "no-development-packages-at-run-time",
      severity: "error",
      comment: "What runs in a Lambda or at the terminal is installed without the development packages.",
      from: { path: `^(?:src|functions|cli)/` },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"], pathNot: "node_modules/@types/" },
    },
  ],
  options: {
    // Reads TypeScript without its compiler (version 7 has no programming interface); types count as imports too.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js", ".json"],
      conditionNames: ["import", "node", "default"],
      exportsFields: ["exports"],
    },
  },
};
