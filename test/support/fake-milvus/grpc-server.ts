import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { getGRPCService, LOADER_OPTIONS } from "@zilliz/milvus2-sdk-node";

type Message = Record<string, unknown>;
/** What a call answers; a thrown `{code, details}` becomes a gRPC status. */
type GrpcAnswer = (request: Message) => Message;

interface GrpcRequest {
  readonly call: string;
  readonly request: Message;
  /** From the metadata. */
  readonly database: string;
}

export interface FakeGrpc {
  readonly port: number;
  /** Every request in order, GetVersion left out. */
  readonly requests: readonly GrpcRequest[];
  /** Sets what a call answers from now on; a call that is not set is unimplemented. */
  on(call: string, answer: GrpcAnswer): void;
  close(): Promise<void>;
}

/** `common.Status` of a call that went well. */
export const success: Message = { error_code: "Success", code: 0, reason: "" };

/** @param at a free port of its own where absent; that of one that was closed, for a server that restarts */
export async function startFakeGrpc(version: string, credentials?: string, at = 0): Promise<FakeGrpc> {
  const answers = new Map<string, GrpcAnswer>([["GetVersion", () => ({ status: success, version })]]);
  const requests: GrpcRequest[] = [];
  const { service } = getGRPCService({ serviceName: "milvus.proto.milvus.MilvusService" }, LOADER_OPTIONS);
  const server = new Server();
  server.addService(
    service,
    Object.fromEntries(
      Object.keys(service).map((call) => [
        call,
        (unary: ServerUnaryCall<Message, Message>, callback: sendUnaryData<Message>) => {
          if (!isAuthorized(unary.metadata, credentials)) {
            callback({ code: status.UNAUTHENTICATED, details: "auth check failure" });
            return;
          }
          const answer = answers.get(call);
          if (!answer) {
            callback({ code: status.UNIMPLEMENTED, details: `unknown method ${call}` });
            return;
          }
          if (call !== "GetVersion") {
            requests.push({ call, request: unary.request, database: String(unary.metadata.get("dbname")[0] ?? "") });
          }
          callback(null, answer(unary.request));
        },
      ]),
    ),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${at}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    requests,
    on: (call, answer) => {
      if (!(call in service)) throw new Error(`Milvus's protocol has no call ${call}`);
      answers.set(call, answer);
    },
    async close() {
      server.forceShutdown();
    },
  };
}

function isAuthorized(metadata: Metadata, credentials: string | undefined): boolean {
  if (credentials === undefined) return true;
  return Buffer.from(String(metadata.get("authorization")[0] ?? ""), "base64").toString("utf8") === credentials;
}
