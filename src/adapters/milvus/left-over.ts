import { type DescribedMessage, leftOver } from "../../core/milvus/not-carried.ts";
import type { PlainMessage } from "./protocol.ts";
import type { SchemaMessage } from "./schema.ts";

/** What a server describes of a collection that no backup carries, in words; none where there is nothing. */
export function leftOverOfCollection(answer: PlainMessage & { readonly schema: SchemaMessage }): string[] {
  const { schema, unknown_fields: unknown = [], ...rest } = answer;
  const of = (type: DescribedMessage, messages: readonly PlainMessage[]) =>
    messages.flatMap((message) => leftOver(type, message, String(message.name)));
  return [
    ...leftOver("DescribeCollectionResponse", rest),
    ...leftOver("CollectionSchema", schema),
    ...of("FieldSchema", [...schema.fields, ...schema.struct_array_fields.flatMap(({ fields }) => fields)]),
    ...of("FunctionSchema", schema.functions),
    ...of("StructArrayFieldSchema", schema.struct_array_fields),
    ...unknownTo(unknown),
  ];
}

/**
 * The same of one index.
 * @param unknown of the answer that tells of it
 */
export function leftOverOfIndex(index: PlainMessage & { readonly index_name: string }, unknown: unknown): string[] {
  return [...leftOver("IndexDescription", index, index.index_name), ...unknownTo(unknown)];
}

/** @param fields as the protocol names them (`unknown_fields`) */
function unknownTo(fields: unknown): string[] {
  return ((fields ?? []) as readonly string[]).map((field) => `${field}, which this version does not know`);
}
