import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { SignatureV4 } from "@smithy/signature-v4";
import { Sha256 } from "../sha256.ts";
import { place } from "./needs.ts";
import type { RecordedRequest } from "./recording-proxy.ts";

/** What belongs to the one who sent it first, or to the connection. */
const left =
  /^(?:authorization|host|connection|content-length|expect|x-amz-date|x-amz-security-token|x-amz-content-sha256|amz-sdk-.*)$/;

/** Sends recorded requests once more, as sessions of other roles. */
export class Replay {
  readonly #endpoint: URL;
  readonly #sts: STSClient;

  constructor(endpoint: string, credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }) {
    this.#endpoint = new URL(endpoint);
    this.#sts = new STSClient({ endpoint, region: place.region, credentials });
  }

  /** @returns what was answered in place of a refusal: its status; undefined where it was refused */
  async as(roleName: string, { method, url, headers, body, service }: RecordedRequest): Promise<number | undefined> {
    const RoleArn = `arn:aws:iam::${place.account}:role/${roleName}`;
    const { Credentials } = await this.#sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "replay" }));
    const { pathname, searchParams, search } = new URL(url, this.#endpoint);
    const signer = new SignatureV4({
      service,
      region: place.region,
      sha256: Sha256,
      uriEscapePath: service !== "s3",
      credentials: {
        accessKeyId: Credentials?.AccessKeyId ?? "",
        secretAccessKey: Credentials?.SecretAccessKey ?? "",
        ...(Credentials?.SessionToken && { sessionToken: Credentials.SessionToken }),
      },
    });
    const kept = Object.entries(headers).filter(([name]) => !left.test(name));
    const { hostname, port, host, protocol, origin } = this.#endpoint;
    const signed = await signer.sign({
      method,
      protocol,
      hostname,
      port: Number(port),
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...Object.fromEntries(kept.map(([name, value]) => [name, String(value)])), host },
      body,
    });
    const sent = method === "GET" || method === "HEAD" ? {} : { body: new Uint8Array(body) };
    const answer = await fetch(`${origin}${pathname}${search}`, { method, headers: signed.headers, ...sent });
    const text = await answer.text();
    // JSON services say it with status 400, as they say what is wrong with a request.
    const isRefused = answer.status === 403 || (answer.status === 400 && text.includes("AccessDenied"));
    return isRefused ? undefined : answer.status;
  }
}
