/** The ARN of the state machine that an execution belongs to; the text itself where it is no execution's ARN. */
export function stateMachineOf(executionArn: string): string {
  const [, before, machine] = /^(arn:[^:]+:states:[^:]*:[^:]*:)execution:([^:]+):/.exec(executionArn) ?? [];
  return before === undefined || machine === undefined ? executionArn : `${before}stateMachine:${machine}`;
}
