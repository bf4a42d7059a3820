import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";

/**
 * Keys of encrypted databases as a backup has them, and what is given to imports in their place: the restore's Milvus may have another root key.
 * Both are secrets.
 */
const ezkMapping = z.record(z.string().min(1), z.string().min(1));

/** undefined where the text is none. */
export function parseEzkMapping(text: string): Readonly<Record<string, string>> | undefined {
  return ezkMapping.safeParse(jsonOrUndefined(text)).data;
}
