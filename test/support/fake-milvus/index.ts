import { type FakeGrpc, GrpcInterface } from "./grpc-server.ts";
import { type FakeManagement, startFakeManagement } from "./management-server.ts";
import { FakeModel, type ModelOptions } from "./model.ts";
import { openProxyPort } from "./proxy-port.ts";
import { type FakeRest, RestInterface } from "./rest-server.ts";

/**
 * A fake Milvus for the calls that came with 2.4 and later, which no server here can run. Real: one port for HTTP/1 and HTTP/2 as a proxy
 * has it, the gRPC messages (the SDK's protocol), the REST v2 paths, headers and JSON as milvus.io documents them with bare 64-bit numbers,
 * what a server of its version has and has not, codes and words of refusals by Milvus's source. Fake: what it does with data. It keeps
 * databases, collections, segments, jobs and users in one model (`fake.model`), copies the logs of an import in its store and counts their
 * rows, and never reads a vector. `on`, `once`, `answerOnce` and their like put faults in the place of what it would answer.
 */
export interface FakeMilvus {
  /** gRPC and REST. */
  readonly port: number;
  readonly model: FakeModel;
  readonly grpc: FakeGrpc;
  readonly rest: FakeRest;
  readonly management: FakeManagement;
  close(): Promise<void>;
}

export interface FakeMilvusOptions extends ModelOptions {
  /** Resuming garbage collection needs the ticket; from 2.6.8 on unless said otherwise. */
  readonly tickets?: boolean;
  /** The port for gRPC and REST: a free one where absent; that of one that was closed, for a server that restarts. */
  readonly at?: number;
}

export async function startFakeMilvus(options: FakeMilvusOptions): Promise<FakeMilvus> {
  const model = new FakeModel(options);
  const grpc = new GrpcInterface(model);
  const rest = new RestInterface(model);
  const proxy = await openProxyPort(
    { http2: (socket) => grpc.take(socket), http1: (socket) => rest.take(socket) },
    options.at ?? 0,
  );
  const management = await startFakeManagement(model, options.tickets ?? model.isAtLeast("2.6.8"));
  const { port } = proxy;
  const closeProxy = async () => {
    grpc.close();
    rest.close();
    await proxy.close();
  };
  return {
    port,
    model,
    grpc: {
      port,
      requests: grpc.requests,
      on: (call, answer) => grpc.on(call, answer),
      once: (call, answer) => grpc.once(call, answer),
      without: (call) => grpc.on(call, undefined),
      close: closeProxy,
    },
    rest: restOf(port, rest, model),
    management,
    async close() {
      await Promise.all([closeProxy(), management.close()]);
    },
  };
}

function restOf(port: number, rest: RestInterface, { jobs }: FakeModel): FakeRest {
  return {
    port,
    requests: rest.requests,
    probes: rest.probes,
    jobs: jobs.all,
    loaded: jobs.loaded,
    goneSegments: rest.goneSegments,
    get segmentsOf() {
      return jobs.segmentsOf;
    },
    set segmentsOf(segmentsOf) {
      jobs.segmentsOf = segmentsOf;
    },
    get segmentInfos() {
      return rest.segmentInfos;
    },
    set segmentInfos(infos) {
      rest.segmentInfos = infos;
    },
    forgetWhenDescribed: (jobId) => jobs.forgetWhenDescribed(jobId),
    answerOnce: (status, body) => void rest.once.push({ status, body }),
    answerProbeOnce: (status, body) => void rest.probedOnce.push({ status, body }),
    takes: (path, seconds) => void rest.seconds.set(path, seconds),
    close: async () => rest.close(),
  };
}
