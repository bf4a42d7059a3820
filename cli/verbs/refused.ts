import type { Command } from "commander";
import { CliError } from "../errors.ts";

/** What milvus-backup 0.5.16 has and this command has not, with what to use instead; docs/compatibility.md lists all of it. */
interface Refused {
  /** `server`, or a verb below another one: `restore secondary`. */
  readonly verb: string;
  readonly instead: string;
}

const refused: readonly Refused[] = [
  {
    verb: "restore secondary",
    instead:
      "a secondary cluster of Milvus's own replication is set up with milvus-backup, which reads plain backups of this command; a copy to restore from elsewhere " +
      'is made with "copy", or with a restore trigger of pipeline.yaml',
  },
  {
    verb: "migrate",
    instead:
      "it uploads a backup to Zilliz Cloud by that service's own interface: use milvus-backup, which reads plain backups of this command, or give Zilliz Cloud the " +
      "place of the backup (docs/tutorials/across-object-stores.md)",
  },
];

/** Adds what is refused, hidden from the help: whoever comes with a command line of milvus-backup is told what to use. */
export function addRefused(program: Command): void {
  for (const { verb, instead } of refused) {
    const [first = "", second] = verb.split(" ");
    const refuse = () => {
      throw new CliError("Usage", `${verb}: ${instead}`);
    };
    const parent = program.commands.find((command) => command.name() === first);
    (second === undefined ? program : (parent ?? program))
      .command(second ?? first, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(refuse);
  }
}
