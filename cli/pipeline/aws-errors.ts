import { CliError } from "../errors.ts";

const credentialsMissing = /credential|CredentialsProvider/i;
const credentialsRejected = new Set([
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
]);
const accessDenied = new Set(["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"]);
const unreachable = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "TimeoutError",
]);

const localHint = "for the local stack: . .local/aws.env";

/**
 * Says in the command's own words why AWS could not be asked; other errors come back as they are.
 * @param doing what was tried: `describing the stack MilvusBackup`
 */
export function explainAwsError(
  error: unknown,
  doing: string,
  env: Readonly<Record<string, string | undefined>>,
): unknown {
  if (!(error instanceof Error) || error instanceof CliError) return error;
  const code = codeOf(error);
  const cause = error;
  const { AWS_ENDPOINT_URL: endpoint } = env;
  if (unreachable.has(code)) {
    // Lambda sets it
    const inFunction = env.AWS_LAMBDA_FUNCTION_NAME !== undefined;
    const told = inFunction
      ? `AWS is not reachable (${code}) while ${doing}: its network needs an endpoint of that service, or a NAT gateway (docs/pipeline-yaml.md#network)`
      : endpoint === undefined
        ? `AWS is not reachable (${code}) while ${doing}; is its region right (AWS_REGION), and the network? ${localHint}`
        : `${endpoint} is not reachable (${code}) while ${doing}; is the local stack up (npm run local -- up), or AWS_ENDPOINT_URL right?`;
    return new CliError("AwsUnreachable", told, { cause });
  }
  if (endpoint !== undefined && (!URL.canParse(endpoint) || /parse error|Deserialization error/.test(error.message))) {
    const told = URL.canParse(endpoint) ? "does not answer as AWS does" : "is no URL";
    return new CliError(
      "AwsUnreachable",
      `AWS_ENDPOINT_URL: ${JSON.stringify(endpoint)} ${told}: correct it, leave it out for AWS itself, or ${localHint}`,
      { cause },
    );
  }
  if (/^Region not accepted/.test(error.message)) {
    return new CliError(
      "AwsUnreachable",
      `AWS_REGION: ${JSON.stringify(env.AWS_REGION ?? "")} is no region: use one such as us-east-1`,
      { cause },
    );
  }
  if (error.name === "CredentialsProviderError" || (code === "" && credentialsMissing.test(error.message))) {
    return new CliError(
      "NoAwsCredentials",
      `there are no AWS credentials (while ${doing}): configure them, or ${localHint}`,
      {
        cause,
      },
    );
  }
  if (/region is missing/i.test(error.message)) {
    return new CliError("NoAwsCredentials", `no AWS region is set (while ${doing}): set AWS_REGION, or ${localHint}`, {
      cause,
    });
  }
  if (credentialsRejected.has(error.name)) {
    return new CliError(
      "NoAwsCredentials",
      `AWS does not accept the credentials (${error.name}, while ${doing}): renew them, or ${localHint}`,
      { cause },
    );
  }
  if (accessDenied.has(error.name)) {
    return new CliError("AwsAccessDenied", `AWS denies access while ${doing}: ${error.message}`, { cause });
  }
  if ("$metadata" in error)
    return new CliError("AwsFailed", `AWS failed while ${doing}: ${error.name}: ${error.message}`, { cause });
  return error;
}

/** A network error's code; it may sit in the cause, or in the first of several attempts. */
function codeOf(error: Error): string {
  if (unreachable.has(error.name)) return error.name;
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === "string" && unreachable.has(code)) return code;
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.cause instanceof Error ? codeOf(error.cause) : "";
}
