import { Argument, type Command } from "commander";
import { shells } from "../options.ts";
import type { VerbHost } from "./verb.ts";

/** Adds `completion`, and the hidden verb that its scripts ask at each Tab. */
export function addCompletion(program: Command, host: VerbHost): void {
  program
    .command("completion")
    .description("print what a shell needs to complete verbs, options, files and names")
    .addArgument(new Argument("<shell>", "which one").choices(shells))
    .addHelpText(
      "after",
      `
Examples:
  # bash, in ~/.bashrc
  source <(milvus-backup completion bash)

  # zsh, in ~/.zshrc behind compinit
  source <(milvus-backup completion zsh)

  # fish, in ~/.config/fish/config.fish
  milvus-backup completion fish | source
`,
    )
    .action(host.action(async () => (await import("../actions/completion.ts")).script));
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action(host.action(async () => (await import("../actions/completion.ts")).complete));
}
