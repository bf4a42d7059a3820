/** Step Functions' limit. */
const longest = 80;

/** What Step Functions takes as the name of an execution; a backup's name may be longer, and asking for it would be an error. */
export const executionNames = /^[A-Za-z0-9._-]{1,80}$/;

/**
 * The name of an execution: `create-my_backup-20261121T110307-3f9c2a`, so that a list of executions can be read. Long backup
 * names are cut.
 */
export function executionName(verb: string, backupName: string, now: Date, random: string): string {
  const time = now.toISOString().slice(0, 19).replace(/[-:]/g, "");
  const tail = `-${time}-${random}`;
  // CloudWatch shows only names of these characters.
  const subject = backupName.replace(/[^A-Za-z0-9_-]/g, "_");
  return `${verb}-${subject}`.slice(0, longest - tail.length) + tail;
}

/** The name at the end of an execution's ARN. */
export function executionNameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}
