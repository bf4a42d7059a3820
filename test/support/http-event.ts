/** Who a request of the tests is signed by. */
export const caller = "arn:aws:sts::111122223333:assumed-role/search-service/i-0a1b2c3d";

/**
 * A request as an HTTP API hands it to a function, payload format 2.0 (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html):
 * header names in lower case, the query as it came, a body that is no text in base64.
 */
export function httpEvent(
  method: string,
  path: string,
  {
    query = "",
    body,
    headers = {},
    base64 = false,
    authorizer = {
      iam: { accessKey: "AKIA", accountId: "111122223333", callerId: "AIDA", userArn: caller, userId: "U" },
    },
  }: {
    query?: string;
    body?: unknown;
    headers?: Record<string, string>;
    base64?: boolean;
    /** null: it has none. */
    authorizer?: object | null;
  } = {},
) {
  const rawPath = `/api/v1${path}`;
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  return {
    version: "2.0",
    routeKey: `${method} ${rawPath}`,
    rawPath,
    rawQueryString: query,
    headers: {
      accept: "*/*",
      authorization:
        "AWS4-HMAC-SHA256 Credential=AKIA/20261129/eu-central-1/execute-api/aws4_request, Signature=secret",
      host: "abcdefgh12.execute-api.eu-central-1.amazonaws.com",
      ...headers,
    },
    requestContext: {
      accountId: "111122223333",
      apiId: "abcdefgh12",
      ...(authorizer && { authorizer }),
      domainName: "abcdefgh12.execute-api.eu-central-1.amazonaws.com",
      domainPrefix: "abcdefgh12",
      http: { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "curl/8.5.0" },
      requestId: "JKJaXmPLvHcESHA=",
      routeKey: `${method} ${rawPath}`,
      stage: "$default",
      time: "29/Nov/2026:00:00:00 +0000",
      timeEpoch: 1796000000000,
    },
    ...(text !== undefined && { body: base64 ? Buffer.from(text).toString("base64") : text }),
    isBase64Encoded: base64,
  };
}
