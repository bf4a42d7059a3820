import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { bundleFunctions } from "./bundle.ts";
import { eventFunctionSpecs, functionSpecs } from "./functions.ts";
import { readPipelineFile } from "./pipeline-file.ts";
import { PipelineStack } from "./pipeline-stack.ts";
import { readSettings } from "./settings.ts";

const app = new App();
const settings = readSettings((key) => app.node.tryGetContext(key), process.env, readPipelineFile);
const bundles = bundleFunctions([...functionSpecs, ...eventFunctionSpecs].map(({ name }) => name));
new PipelineStack(app, settings.stack, { settings, bundles });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
