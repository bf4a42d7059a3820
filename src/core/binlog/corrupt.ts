import { PipelineError } from "../execution/errors.ts";

/** Where in a backup something stands that cannot be right. */
export interface BinlogPlace {
  /** Key of the object. */
  readonly object: string;
  /** Bytes from its start; of a value in a payload, the payload's event. */
  readonly offset: number;
}

/** What is thrown where a binlog is not what it should be: names the object and the offset. */
export function corruptBinlog({ object, offset }: BinlogPlace, reason: string, cause?: unknown): PipelineError {
  return new PipelineError("CorruptBackup", `${object}, offset ${offset}: ${reason}`, {
    details: { object, offset },
    cause,
  });
}

/** Whether somebody found out with it that a backup's rows cannot be read as they are. */
export function isBinlogFault(error: unknown): error is PipelineError {
  return error instanceof PipelineError && error.name === "CorruptBackup";
}
