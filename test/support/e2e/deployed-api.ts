import { request } from "node:http";
import { SignatureV4 } from "@smithy/signature-v4";
import { aws } from "../../../local/index.ts";
import { Sha256 } from "../sha256.ts";

/** An answer of a deployed API. */
export interface HttpAnswered {
  readonly status: number;
  // a test looks into whatever shape the answer should have
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly body: any;
}

const { accessKeyId, secretAccessKey, region } = aws;
const signer = new SignatureV4({
  credentials: { accessKeyId, secretAccessKey },
  region,
  service: "execute-api",
  sha256: Sha256,
});

/**
 * Asks a deployed API over HTTP, signed as its callers sign.
 * @param url of the stack's output; the emulator tells APIs apart by their host name, which no DNS here knows
 * @param options.signed false: as somebody without credentials
 */
export async function askDeployed(
  url: string,
  method: string,
  path: string,
  { body, headers = {}, signed = true }: { body?: object; headers?: Record<string, string>; signed?: boolean } = {},
): Promise<HttpAnswered> {
  // its host ends in a number, which no URL may
  const [, host = "", root = ""] = /^http:\/\/([^/]+)(.*)$/.exec(url) ?? [];
  const { pathname, searchParams } = new URL(`http://api${root}${path}`);
  const content = body === undefined ? undefined : JSON.stringify(body);
  const plain = {
    ...{ method, protocol: "http:", hostname: aws.host, port: aws.port, path: pathname },
    query: Object.fromEntries(searchParams),
    headers: { host, ...(content !== undefined && { "content-type": "application/json" }), ...headers },
    ...(content !== undefined && { body: content }),
  };
  const { headers: sent } = signed ? await signer.sign(plain) : plain;
  return new Promise((resolve, reject) => {
    const query = searchParams.size > 0 ? `?${searchParams}` : "";
    const asked = request(
      { method, host: aws.host, port: aws.port, path: `${pathname}${query}`, headers: sent },
      async (answer) => {
        let text = "";
        for await (const chunk of answer) text += chunk;
        const isJson = answer.headers["content-type"]?.startsWith("application/json");
        resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
      },
    );
    asked.on("error", reject);
    asked.end(content);
  });
}
