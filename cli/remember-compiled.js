import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * What was compiled, and stripped of its types, once is taken from a cache: half of the start. It lies in the user's own folder, as whoever
 * writes there runs code as that user. Where nothing can be written, or Node.js is older than 22.8, nothing is kept.
 */
export function rememberCompiled() {
  try {
    const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
    module.enableCompileCache(process.env.NODE_COMPILE_CACHE || join(caches, "milvus-backup", "compiled"));
  } catch {
    // a user without a home
  }
}
