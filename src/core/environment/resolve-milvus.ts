import type { MilvusSettings } from "./environment.ts";
import { parseEzkMapping } from "./ezk-mapping.ts";
import { fileOf, type Given } from "./given-files.ts";
import type { GivenValues } from "./keys.ts";

/** What is below `milvus`, with its defaults. */
export function milvusSettings(given: Given): MilvusSettings {
  const { values } = given;
  const asked = values.get("milvus.tlsMode") ?? 0;
  const mtlsCert = asked === 2 ? fileOf(given, "milvus.mtlsCertPath") : "";
  const mtlsKey = asked === 2 ? fileOf(given, "milvus.mtlsKeyPath") : "";
  if ((mtlsCert === "") !== (mtlsKey === "")) {
    const missing = mtlsCert === "" ? "milvus.mtlsCertPath" : "milvus.mtlsKeyPath";
    throw values.error(missing, "is missing: a client's certificate and its key are given together");
  }
  return {
    address: values.get("milvus.address") ?? "localhost",
    port: values.get("milvus.port") ?? 19530,
    ...restInterface(values),
    user: values.get("milvus.user") ?? "",
    password: values.get("milvus.password") ?? "",
    // as milvus-backup: mutual TLS without a client's certificate is one-way TLS
    tlsMode: asked === 2 && mtlsCert === "" ? 1 : asked,
    serverName: values.get("milvus.serverName") ?? "",
    caCert: asked === 0 ? "" : fileOf(given, "milvus.caCertPath"),
    mtlsCert,
    mtlsKey,
    ...(values.get("milvus.rpcChannelName") && { rpcChannelName: values.get("milvus.rpcChannelName") }),
    ...ezkMapping(given),
  };
}

/** Where REST is served elsewhere than gRPC. */
function restInterface(values: GivenValues): Pick<MilvusSettings, "restAddress" | "restPort"> {
  const [restAddress, restPort] = [values.get("milvus.restAddress"), values.get("milvus.restPort")];
  return { ...(restAddress && { restAddress }), ...(restPort !== undefined && { restPort }) };
}

/** The content of the file that `milvus.ezkMappingPath` names: keys are secrets, and in no message. */
function ezkMapping(given: Given): Pick<MilvusSettings, "ezkMapping"> {
  const key = "milvus.ezkMappingPath";
  const text = fileOf(given, key);
  if (text === "") return {};
  const mapping = parseEzkMapping(text);
  if (!mapping) {
    throw given.values.error(
      key,
      'names a file that is no JSON of the form {"<key in the backup>": "<key to import with>"}',
    );
  }
  return { ezkMapping: JSON.stringify(mapping) };
}
