import type { Output } from "./output.ts";

/** How an execution ended. */
export interface Summary {
  readonly warnings: readonly string[];
  readonly document: unknown;
  /** The document for people. */
  readonly text: string;
}

/** Shows how an execution ended. */
export function showSummary(output: Output, { warnings, document, text }: Summary): void {
  for (const warning of warnings) output.warn(warning);
  output.result(document, text);
}
