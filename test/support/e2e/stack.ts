import { down, formatReport, type StepReport, status, up } from "../../../local/index.ts";
import { ensureMinio } from "../../../local/minio.ts";
import { reportStep } from "../../../local/reporter.ts";

/** Set (to anything) it keeps a stack that the tests started, for another run or for a look around. */
const keepVariable = "MILVUS_BACKUP_KEEP_STACK";

/**
 * Brings the local stack up with the pipeline deployed as the sources are now. A stack that runs already is used and stays;
 * one that was started here is taken down again by the function that is answered, unless MILVUS_BACKUP_KEEP_STACK is set.
 * @param options.deploy false: the servers only
 * @param options.signal stops it halfway, with what it started
 */
export async function bringUpStack(
  options: { deploy?: boolean; signal?: AbortSignal } = {},
): Promise<() => Promise<void>> {
  const reporter = (report: StepReport) => {
    const line = formatReport(report);
    if (line !== undefined) console.log(line);
  };
  const running = (await status()).some(({ health }) => health !== "stopped");
  // Single tests start a MinIO of their own: built beforehand, once, as it takes minutes and both cores.
  await reportStep(reporter, "minio", () => ensureMinio({ reporter, signal: options.signal }));
  await up({ deploy: options.deploy, reporter, signal: options.signal });
  return async () => {
    if (!running && !process.env[keepVariable]) await down();
  };
}

/** The same for a vitest project; does nothing where the runner has brought the stack up already. */
export async function stackForProject(options: { deploy?: boolean } = {}): Promise<() => Promise<void>> {
  return process.env.MILVUS_BACKUP_TEST_STACK === "up" ? async () => {} : bringUpStack(options);
}
