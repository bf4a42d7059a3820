import * as z from "zod";
import { schedulePromise } from "../../src/core/deployment/schedule-promise.ts";
import { renderReport } from "../../src/page/render.ts";
import { writeRootReport } from "../../src/steps/report/write-report.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { storeContext } from "../shared/store-context.ts";
import { variable } from "../shared/variable.ts";

/** What the schedule of a report sends. */
const writeReportRequest = z.object({
  environment: z.string().min(1),
  promises: z.array(schedulePromise),
});

export const handler = stepHandler(
  writeReportRequest,
  ({ environment, promises }, context) =>
    writeRootReport(
      { environment, deployment: { stateMachine: variable("BACKUP_STATE_MACHINE_ARN"), promises } },
      renderReport,
      context,
    ),
  storeContext(),
);
