/** Where text goes: a stream of the process, or a test's memory. */
interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The terminal as the verbs see it. */
export interface Terminal {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks for a line; "" where it is ended instead, undefined where nobody can read the question or answer it (no terminal, or CI's). */
  ask(question: string): Promise<string | undefined>;
  /** Calls `listener` at Ctrl-C; answers a function that stops listening. */
  onInterrupt(listener: () => void): () => void;
}

/** Whether it runs in CI, as every CI system says it: what looks like a terminal there is a log, and nobody is there to answer. */
export function isCi({ CI }: Terminal["env"]): boolean {
  return CI !== undefined && !["", "0", "false"].includes(CI.toLowerCase());
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // `milvus-backup get ... | head` closes the pipe early, which is no fault.
    if (error.code === "EPIPE") process.exit();
    process.stderr.write(`Error (OutputFailed): the result cannot be written: ${error.message}\n`);
    process.exit(1);
  });
  // Whoever reads no progress and no warning any more may still want the result.
  process.stderr.on("error", () => {});
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    async ask(question) {
      if (!process.stdin.isTTY || !process.stderr.isTTY || isCi(process.env)) return undefined;
      const { createInterface } = await import("node:readline/promises");
      const readline = createInterface({ input: process.stdin, output: process.stderr });
      try {
        const ended = new Promise<string>((resolve) => readline.once("close", () => resolve("")));
        return await Promise.race([readline.question(question), ended]);
      } finally {
        readline.close();
      }
    },
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      return () => process.off("SIGINT", listener);
    },
  };
}
