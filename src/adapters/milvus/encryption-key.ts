import * as z from "zod";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import type { HttpAnswer, HttpExchange } from "./rest-client.ts";

const path = "/management/rootcoord/ez/backup";
const requestTimeoutMs = 30_000;

const answered = z.object({ msg: z.literal("OK"), ezk: z.string().min(1) });

/**
 * The key that the data of an encrypted database is read with elsewhere, from Milvus's management port: as the server wraps it. It is in no message: of
 * what the server answers only the HTTP status is told.
 * @param address `http://host:9091`, as `backup.gcPause.address` has it
 * @throws MilvusUnreachable, MilvusFailed
 */
export async function readEncryptionKey(exchange: HttpExchange, address: string, database: string): Promise<string> {
  let answer: HttpAnswer;
  try {
    const url = new URL(path, address);
    url.searchParams.set("db_name", database);
    answer = await exchange(url, { method: "GET", headers: {}, timeoutMs: requestTimeoutMs });
  } catch (cause) {
    throw new PipelineError(
      "MilvusUnreachable",
      `Milvus's management port at ${address} cannot be reached for the key of the encrypted database ${database}: ${messageOf(cause)}. ` +
        "Check backup.gcPause.address; without its key nobody could restore what is backed up of it",
      { details: { address, database }, cause },
    );
  }
  const read = answered.safeParse(jsonOrUndefined(answer.body));
  if (answer.status === 200 && read.success) return read.data.ezk;
  throw new PipelineError(
    "MilvusFailed",
    `Milvus's management port at ${address} does not tell the key of the encrypted database ${database} (${path}, HTTP ${answer.status}): ` +
      "without its key nobody could restore what is backed up of it. Ask the administrator of that Milvus, or leave the database out",
    { details: { address, database } },
  );
}
