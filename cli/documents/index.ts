import type * as z from "zod";
import { backupReport } from "../../src/core/report/backup.ts";
import { executionReport } from "../../src/core/report/execution.ts";
import { rootReport } from "../../src/core/report/root.ts";
import { backup, backups, estimate } from "./backups.ts";
import { copy, create, drill, execution, executions, exported, restore, verify } from "./executions.ts";
import { diff, peek } from "./rows.ts";
import {
  checks,
  config,
  deleted,
  environment,
  environments,
  failure,
  policies,
  registration,
  retention,
  schedules,
  server,
  sweep,
} from "./upkeep.ts";

/** Every document that `--json` prints, by its `kind`. `get --detail` prints the format's own record, which is none of these. */
export const documents = {
  create,
  restore,
  copy,
  verify,
  drill,
  estimate,
  export: exported,
  execution,
  executions,
  backups,
  backup,
  peek,
  diff,
  delete: deleted,
  retention,
  sweep,
  schedules,
  checks,
  config,
  policies,
  environments,
  environment,
  registration,
  server,
  "root-report": rootReport,
  "backup-report": backupReport,
  "execution-report": executionReport,
  error: failure,
} as const;

type Printed<T> = T extends readonly (infer Item)[]
  ? readonly Printed<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Printed<T[Key]> }
    : T;

/** A document of a kind, as a verb prints it. */
export type DocumentOf<Kind extends keyof typeof documents> = Printed<z.input<(typeof documents)[Kind]>>;

/** A document of any kind. */
export type Document = { [Kind in keyof typeof documents]: DocumentOf<Kind> }[keyof typeof documents];
