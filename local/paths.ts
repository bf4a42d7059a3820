import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of this project. */
export const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));

/** Everything the local stack writes lies under here; git ignores it. */
export const localDir = join(projectDir, ".local");

/** Where every service and tool of the stack writes its log. */
export const logsDir = join(localDir, "logs");

/** The commands that come from this project's packages (Node 24 among them). */
export const binDir = join(projectDir, "node_modules", ".bin");
