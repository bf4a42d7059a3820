#!/usr/bin/env node
// Plain JavaScript that any Node understands: it only finds a Node that runs the TypeScript beside it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rememberCompiled } from "./remember-compiled.js";

const needed = 24;
const current = Number.parseInt(process.versions.node, 10);

if (current >= needed) {
  rememberCompiled();
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
  // Left with Ctrl-C: the wait before the next look at the execution must not hold the process.
  if (process.exitCode === 130) process.exit();
} else {
  // The package brings its own Node 24 (the npm package `node`), which `npx` and npm scripts find first.
  const own = ["../node_modules/.bin/node", "../node_modules/node/bin/node"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (own === undefined || process.env.MILVUS_BACKUP_REEXECUTED === "1") {
    console.error(
      `milvus-backup needs Node.js ${needed} or newer, this is ${process.versions.node}: run npm ci in the project, or use a newer Node.js`,
    );
    process.exitCode = 1;
  } else {
    const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: "inherit",
      env: { ...process.env, MILVUS_BACKUP_REEXECUTED: "1" },
    });
    // The terminal sends Ctrl-C to both; only the child decides what it means.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", (error) => {
      console.error(`milvus-backup: ${own} does not start: ${error.message}`);
      process.exitCode = 1;
    });
    child.on("exit", (code, signal) => {
      process.exitCode = signal === null ? (code ?? 1) : 1;
    });
  }
}
