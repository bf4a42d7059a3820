import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { bundleFunctions } from "./bundle.ts";
import { functionSpecs } from "./functions.ts";
import { PipelineStack } from "./pipeline-stack.ts";
import { readSettings } from "./settings.ts";

const app = new App();
const settings = readSettings((key) => app.node.tryGetContext(key), process.env);
const bundles = bundleFunctions(functionSpecs.map(({ name }) => name));
new PipelineStack(app, settings.stack, { settings, bundles });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
