import type { DocumentOf } from "../documents/index.ts";
import type { Output } from "./output.ts";

/** How an execution ended. */
export interface Summary {
  readonly document: DocumentOf<"create" | "restore" | "copy" | "drill" | "export" | "verify">;
  /** The document for people. */
  readonly text: string;
  /** What the command ends with; 0 where absent. */
  readonly exitCode?: number;
}

/** Shows how an execution ended. */
export function showSummary(output: Output, { document, text }: Summary): void {
  for (const warning of document.warnings) output.warn(warning);
  output.result(document, text);
}
