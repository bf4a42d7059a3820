import * as z from "zod";
import type { CollectionName, Id, SegmentLogs } from "../../core/milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../../core/milvus/names.ts";
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
    const body = {
      dbName: name.database || defaultDatabase,
      collectionId: BigInt(collectionId),
      segmentIds: segmentIds.slice(start, start + segmentsPerRequest).map(BigInt),
    };
    const answer = await client.post("/v2/vectordb/segments/describe", body, segmentInfos, qualifiedName(name));
    for (const info of answer.segmentInfos ?? []) {
      logs.push({
        segmentId: info.segmentID,
        virtualChannel: info.vChannel,
        insertLogs: (info.insertLogs ?? []).map(readFieldLogs),
        deltaLogs: (info.deltaLogs ?? []).map(readFieldLogs),
      });
    }
  }
  return logs;
}

function readFieldLogs({ fieldID, logIDs }: FieldLogsAnswer) {
  return { fieldId: fieldID, logIds: logIDs ?? [] };
}
