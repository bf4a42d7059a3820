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
  /** Asks for a line; undefined where nobody can answer (stdin is no terminal). */
  ask(question: string): Promise<string | undefined>;
  /** Calls `listener` at Ctrl-C; answers a function that stops listening. */
  onInterrupt(listener: () => void): () => void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  // `milvus-backup get ... | head` closes the pipe early, which is no fault.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    async ask(question) {
      if (!process.stdin.isTTY) return undefined;
      const { createInterface } = await import("node:readline/promises");
      const readline = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await readline.question(question);
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
