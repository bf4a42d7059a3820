import imported from "@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.js";
import protobuf from "protobufjs/light.js";

/**
 * Milvus's gRPC protocol, from the definitions that the Milvus SDK carries, without the SDK's client: that one caches
 * DescribeCollection for hours, answers an unimplemented call with an empty success, cannot create a collection with its
 * descriptions and default values as they were, and takes 0.4 s longer to start.
 */
// Node hands over a CommonJS module whole, test runners its default export
const definitions = "default" in imported ? imported.default : imported;
const root = protobuf.Root.fromJSON(definitions as protobuf.INamespace);
const service = root.lookupService("milvus.proto.milvus.MilvusService");

// without it protobufjs reads 64-bit values as JavaScript numbers, silently
if (!protobuf.util.Long) throw new Error("the package long is missing: 64-bit Milvus IDs would lose digits");

/** A message as a plain object: snake_case names, 64-bit values as decimal strings, enums as numbers, every default filled in. */
export type PlainMessage = Record<string, unknown>;

export interface RpcMethod {
  readonly path: string;
  /** `db_name` (or `dbName`) where requests of this method name their database. */
  readonly databaseField: string | undefined;
  serialize(request: PlainMessage): Buffer;
  deserialize(bytes: Uint8Array): PlainMessage;
}

/** The answers of which nothing is to be overlooked: `unknown_fields` has what the definitions do not know, `FieldSchema 18`. */
const describing: ReadonlySet<string> = new Set(["DescribeCollection", "DescribeIndex"]);

/** The calls this adapter uses; fails at start, by name, for one the protocol does not have. */
export function rpcMethod(name: string): RpcMethod {
  const method = service.methods[name];
  method?.resolve();
  const request = method?.resolvedRequestType;
  const response = method?.resolvedResponseType;
  if (!request || !response) throw new Error(`Milvus's protocol has no call ${name}`);
  return {
    path: `/milvus.proto.milvus.MilvusService/${name}`,
    databaseField: ["db_name", "dbName"].find((field) => field in request.fields),
    serialize: (message) => Buffer.from(encode(request, message)),
    deserialize: describing.has(name)
      ? (bytes) => ({ ...decode(response, bytes), unknown_fields: unknownFields(response, bytes) })
      : (bytes) => decode(response, bytes),
  };
}

/** Encodes a message of the schema package. */
export function encodeSchemaMessage(type: SchemaMessage, message: PlainMessage): Uint8Array {
  return encode(root.lookupType(`milvus.proto.schema.${type}`), message);
}

/** Decodes a message of the schema package. */
export function decodeSchemaMessage(type: SchemaMessage, bytes: Uint8Array): PlainMessage {
  return decode(root.lookupType(`milvus.proto.schema.${type}`), bytes);
}

/** Encodes a position in a message stream, as FlushResponse's `channel_cps` holds them. */
export function encodeMessagePosition(message: PlainMessage): Uint8Array {
  return encode(root.lookupType("milvus.proto.msg.MsgPosition"), withoutZeros(message));
}

/** Encodes a message of the write-ahead log, as FlushAllResponse's `flush_all_msgs` holds them. */
export function encodeImmutableMessage({ id, payload, properties }: PlainMessage): Uint8Array {
  return encode(root.lookupType("milvus.proto.common.ImmutableMessage"), {
    ...(isPlain(id) && { id: withoutZeros(id) }),
    ...withoutZeros({ payload }),
    properties,
  });
}

/** Encodes the vectors of a search. */
export function encodePlaceholderGroup(message: PlainMessage): Uint8Array {
  return encode(root.lookupType("milvus.proto.common.PlaceholderGroup"), message);
}

type SchemaMessage = "CollectionSchema" | "FieldSchema" | "ScalarField" | "ValueField";

/** Numbers of fields that a newer server sent: decoding drops them without a word. Absent ones are zero. */
function unknownFields(type: protobuf.Type, bytes: Uint8Array): string[] {
  const found = new Set<string>();
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [number, wireType] = [tag >>> 3, tag & 7];
    const field = type.fieldsById[number]?.resolve();
    if (!field) found.add(`${type.name} ${number}`);
    if (wireType === lengthDelimited && field?.resolvedType instanceof protobuf.Type && !field.map) {
      for (const inner of unknownFields(field.resolvedType, reader.bytes())) found.add(inner);
    } else reader.skipType(wireType);
  }
  return [...found];
}

/** The wire type of messages, texts and bytes. */
const lengthDelimited = 2;

function encode(type: protobuf.Type, message: PlainMessage): Uint8Array {
  return type.encode(type.fromObject(message)).finish();
}

/** What Go leaves out of a message, and a decoded one has all the same: fields that are zero. */
function withoutZeros(message: PlainMessage): PlainMessage {
  const isZero = (value: unknown) =>
    value === null ||
    value === "" ||
    value === 0 ||
    value === "0" ||
    (value instanceof Uint8Array && value.length === 0);
  return Object.fromEntries(Object.entries(message).filter(([, value]) => !isZero(value)));
}

function isPlain(value: unknown): value is PlainMessage {
  return typeof value === "object" && value !== null;
}

function decode(type: protobuf.Type, bytes: Uint8Array): PlainMessage {
  return type.toObject(type.decode(bytes), { longs: String, defaults: true });
}
