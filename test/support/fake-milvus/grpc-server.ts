import type { Duplex } from "node:stream";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { getGRPCService, LOADER_OPTIONS } from "@zilliz/milvus2-sdk-node";
import type { Calls } from "./calls.ts";
import { catalogCalls } from "./catalog-calls.ts";
import { dataCalls } from "./data-calls.ts";
import { importCalls } from "./import-calls.ts";
import type { FakeModel } from "./model.ts";
import { rbacCalls } from "./rbac-calls.ts";
import { type Message, Refusal, success } from "./refusal.ts";

export { success } from "./refusal.ts";

/** What a call answers in place of the server; a thrown `{code, details}` becomes a gRPC status. */
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
  /** Sets what a call answers from now on, in place of what the server would. */
  on(call: string, answer: GrpcAnswer): void;
  /** The same for the next one of that name. */
  once(call: string, answer: GrpcAnswer): void;
  /** From now on a call that this server does not have. */
  without(call: string): void;
  /** The whole port, as a proxy that goes away. */
  close(): Promise<void>;
}

/** The release that brought a call, where that is not older than 2.4; another server does not have it. */
const since: Readonly<Record<string, string>> = {
  DescribeDatabase: "2.4.3",
  AlterDatabase: "2.4.4",
  BackupRBAC: "2.4.10",
  RestoreRBAC: "2.4.10",
  CreatePrivilegeGroup: "2.5.0",
  DropPrivilegeGroup: "2.5.0",
  ListPrivilegeGroups: "2.5.0",
  OperatePrivilegeGroup: "2.5.0",
  OperatePrivilegeV2: "2.5.0",
  AddCollectionField: "2.6.0",
};

/** Takes half a second to read, so once. */
const service = getGRPCService({ serviceName: "milvus.proto.milvus.MilvusService" }, LOADER_OPTIONS)
  .service as unknown as ServiceDefinition;

/** The gRPC interface over a model; connections are handed to it. */
export class GrpcInterface {
  readonly requests: GrpcRequest[] = [];
  readonly #server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  readonly #injector: { injectConnection(connection: Duplex): void };
  readonly #model: FakeModel;
  readonly #calls: Calls;
  readonly #answers = new Map<string, GrpcAnswer | undefined>();
  readonly #once = new Map<string, GrpcAnswer[]>();

  constructor(model: FakeModel) {
    this.#model = model;
    this.#calls = {
      GetVersion: () => ({ version: model.version }),
      Connect: () => ({
        identifier: model.newId(),
        server_info: { build_tags: model.version, deploy_mode: "STANDALONE" },
      }),
      CheckHealth: () => ({ isHealthy: true }),
      AllocTimestamp: () => ({ timestamp: model.timestamp() }),
      ...catalogCalls(model),
      ...dataCalls(model),
      ...importCalls(model),
      ...rbacCalls(model),
    };
    const unary = Object.entries(service).filter(([, { requestStream }]) => !requestStream);
    this.#server.addService(
      Object.fromEntries(unary),
      Object.fromEntries(
        unary.map(([call]) => [
          call,
          (request: ServerUnaryCall<Message, Message>, callback: sendUnaryData<Message>) => {
            this.#answer(call, request).then(
              (answer) => callback(null, answer),
              (error) => callback(error),
            );
          },
        ]),
      ),
    );
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  take(connection: Duplex): void {
    this.#injector.injectConnection(connection);
  }

  on(call: string, answer: GrpcAnswer | undefined): void {
    this.#need(call);
    this.#answers.set(call, answer);
  }

  once(call: string, answer: GrpcAnswer): void {
    this.#need(call);
    this.#once.set(call, [...(this.#once.get(call) ?? []), answer]);
  }

  close(): void {
    this.#server.forceShutdown();
  }

  #need(call: string): void {
    if (!(call in service)) throw new Error(`Milvus's protocol has no call ${call}`);
  }

  async #answer(call: string, { metadata, request }: ServerUnaryCall<Message, Message>): Promise<Message> {
    if (!this.#model.rbac.admits(credentialsOf(metadata))) {
      throw { code: status.UNAUTHENTICATED, details: "auth check failure" };
    }
    const database = String(metadata.get("dbname")[0] ?? "");
    this.#model.journal.push({ via: "gRPC", name: call, database, body: request });
    if (call !== "GetVersion") this.requests.push({ call, request, database });
    const planned = this.#once.get(call)?.shift() ?? this.#answers.get(call);
    if (planned) return planned(request);
    const handle = this.#calls[call];
    const isThere = this.#model.isAtLeast(since[call] ?? "0.0.0") && !this.#answers.has(call);
    if (!handle || !isThere) {
      // what nobody answers was never asked
      if (call !== "GetVersion") this.requests.pop();
      throw { code: status.UNIMPLEMENTED, details: `unknown method ${call}` };
    }
    const named = String(request.db_name ?? request.dbName ?? "");
    try {
      const answer = ((await handle({ request, database: named || database || "default" })) ?? {}) as Message;
      return this.#isStatus(call) ? { ...success, ...answer } : { status: success, ...answer };
    } catch (error) {
      if (!(error instanceof Refusal)) throw { code: status.INTERNAL, details: String(error) };
      return this.#isStatus(call) ? error.status : { status: error.status };
    }
  }

  /** Whether a call answers nothing but `common.Status`. */
  #isStatus(call: string): boolean {
    const { responseType } = service[call] as unknown as { responseType?: { type?: { name?: string } } };
    return responseType?.type?.name === "Status";
  }
}

function credentialsOf(metadata: Metadata): string | undefined {
  const given = metadata.get("authorization")[0];
  return given === undefined ? undefined : Buffer.from(String(given), "base64").toString("utf8");
}
