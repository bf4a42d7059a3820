// The working tree runs TypeScript, which Node.js refuses below node_modules. npm takes the script `prepack` for what comes before `npm run pack` too.
if (!process.env.npm_command?.startsWith("run")) {
  console.error(
    "npm pack would pack the working tree, which runs nowhere else: npm run pack builds the package in dist/ and packs that",
  );
  process.exitCode = 1;
}
