#!/usr/bin/env node
// The command of the installed package: compiled, for every Node.js that `engines` names. cli/bin.js is that of the working tree.
import { rememberCompiled } from "../cli/remember-compiled.js";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 15)) {
  console.error(`milvus-backup needs Node.js 20.15 or newer, this is ${process.versions.node}`);
  process.exitCode = 1;
} else {
  rememberCompiled();
  // That later versions of the AWS SDK want a newer Node.js is nothing to whoever runs this one, which is part of the package.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const { main } = await import("./main.js");
  process.exitCode = await main(process.argv.slice(2));
  // Left with Ctrl-C: the wait before the next look at the execution must not hold the process.
  if (process.exitCode === 130) process.exit();
}
