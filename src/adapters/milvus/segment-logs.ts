import * as z from "zod";
import type { CollectionName, Id, SegmentLogs } from "../../core/milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../../core/milvus/names.ts";
import { absence } from "./errors.ts";
import type { RestClient } from "./rest-client.ts";

/** Segments asked for in one request. */
const segmentsPerRequest = 100;

const fieldLogs = z.object({ fieldID: z.string(), logIDs: z.array(z.string()).nullish() });
const segmentInfos = z.object({
  segmentInfos: z
    .array(
      z.object({
        segmentID: z.string(),
        vChannel: z.string().default(""),
        insertLogs: z.array(fieldLogs).nullish(),
        deltaLogs: z.array(fieldLogs).nullish(),
      }),
    )
    .nullish(),
});
type FieldLogsAnswer = z.infer<typeof fieldLogs>;

/** The exact logs of segments, as Milvus 2.5.8 and newer tell them; a segment that is gone is left out of the answer. */
export async function describeSegmentLogs(
  client: RestClient,
  name: CollectionName,
  collectionId: Id,
  segmentIds: readonly Id[],
): Promise<SegmentLogs[]> {
  const logs: SegmentLogs[] = [];
  for (let start = 0; start < segmentIds.length; start += segmentsPerRequest) {
    const some = segmentIds.slice(start, start + segmentsPerRequest);
    logs.push(...(await describeSome(client, name, collectionId, some)));
  }
  return logs;
}

/** One that is gone fails the request for all: then halves are asked for, down to the ones that are gone. */
async function describeSome(
  client: RestClient,
  name: CollectionName,
  collectionId: Id,
  segmentIds: readonly Id[],
): Promise<SegmentLogs[]> {
  try {
    const body = {
      dbName: name.database || defaultDatabase,
      collectionId: BigInt(collectionId),
      segmentIds: segmentIds.map(BigInt),
    };
    const path = "/v2/vectordb/segments/describe";
    const { segmentInfos: infos } = await client.post(path, body, segmentInfos, { subject: qualifiedName(name) });
    return (infos ?? []).map(({ segmentID, vChannel, insertLogs, deltaLogs }) => ({
      segmentId: segmentID,
      virtualChannel: vChannel,
      insertLogs: (insertLogs ?? []).map(readFieldLogs),
      deltaLogs: (deltaLogs ?? []).map(readFieldLogs),
    }));
  } catch (error) {
    if (!absence.isSegmentNotFound(error)) throw error;
    if (segmentIds.length === 1) return [];
    const middle = Math.ceil(segmentIds.length / 2);
    const first = await describeSome(client, name, collectionId, segmentIds.slice(0, middle));
    return [...first, ...(await describeSome(client, name, collectionId, segmentIds.slice(middle)))];
  }
}

function readFieldLogs({ fieldID, logIDs }: FieldLogsAnswer) {
  return { fieldId: fieldID, logIds: logIDs ?? [] };
}
