import { defineConfig } from "vitest/config";

/** One project a kind of test; `contract` and `e2e` need the local stack and bring it up themselves. */
export default defineConfig({
  test: {
    projects: [
      // A fault at each of hundreds of calls takes seconds, on a busy machine many.
      // Vitest leaves one core to itself, which on two of them is half of the time of tests that compute.
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: "100%",
        },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: ["test/contract/global-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "infra",
          include: ["test/infra/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: "100%",
        },
      },
      // Linters of templates and a second Step Functions engine, from PyPI.
      {
        test: {
          name: "judges",
          include: ["test/judges/**/*.test.ts"],
          globalSetup: ["test/judges/venv.ts"],
          // Linters compute for half a minute, on a busy machine for minutes.
          testTimeout: 400_000,
          hookTimeout: 120_000,
          maxWorkers: "100%",
        },
      },
      // Pages in a real Chromium: one at a time, it takes a core.
      {
        test: { name: "browser", include: ["test/browser/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/global-setup.ts"],
          testTimeout: 300_000,
          // Five backups under writers that never stop, on a machine that does something else as well.
          hookTimeout: 900_000,
          // Most of the time goes into waiting for Milvus: two files side by side, each with names of its own.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "tutorials",
          include: ["test/tutorials/**/*.test.ts"],
          globalSetup: ["test/e2e/global-setup.ts"],
          testTimeout: 600_000,
          // The pages have names in common with each other and with the end-to-end tests: they run alone.
          maxWorkers: 1,
        },
      },
    ],
  },
});
