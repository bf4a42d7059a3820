import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { bundleFunctions } from "./bundle.ts";
import { forwarderOf } from "./events-forwarder-stack.ts";
import { eventFunctionSpecs, functionSpecs } from "./functions.ts";
import { readPipelineFile } from "./pipeline-file.ts";
import { PipelineStack } from "./pipeline-stack.ts";
import { readSettings } from "./settings.ts";

const app = new App();
const settings = readSettings((key) => app.node.tryGetContext(key), process.env, readPipelineFile);
const forward = app.node.tryGetContext("forward");
if (forward === undefined) {
  const bundles = bundleFunctions([...functionSpecs, ...eventFunctionSpecs].map(({ name }) => name));
  new PipelineStack(app, settings.stack, { settings, bundles });
} else {
  forwarderOf(app, settings, String(forward));
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
