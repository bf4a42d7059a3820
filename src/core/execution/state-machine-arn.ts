import type { Machine } from "./machines.ts";

/** The ARN of the state machine that an execution belongs to; the text itself where it is no execution's ARN. */
export function stateMachineOf(executionArn: string): string {
  const [, before, machine] = /^(arn:[^:]+:states:[^:]*:[^:]*:)execution:([^:]+):/.exec(executionArn) ?? [];
  return before === undefined || machine === undefined ? executionArn : `${before}stateMachine:${machine}`;
}

/** The ARN of an execution of a state machine. */
export function executionArnOf(stateMachineArn: string, name: string): string {
  return `${stateMachineArn.replace(/:stateMachine:/, ":execution:")}:${name}`;
}

/** Whether two ARNs of Step Functions are of one account and region: another one's executions cannot be looked at. */
export function sameAccountAndRegion(arn: string, other: string): boolean {
  const place = /^arn:[^:]+:states:[^:]*:[^:]*:/.exec(arn)?.[0];
  return place !== undefined && other.startsWith(place);
}

/** The last part of an execution's ARN, as lists of executions show it. */
export function executionNameOf(executionArn: string): string {
  return executionArn.slice(executionArn.lastIndexOf(":") + 1);
}

/** Another machine of the deployment that a machine belongs to: both are named `<stack>-<machine>`. */
export function siblingMachine(stateMachineArn: string, machine: Machine): string {
  return stateMachineArn.replace(/-[a-z]+$/, `-${machine}`);
}
