import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import { HttpApi, type HttpMethod, HttpStage, LogGroupLogDestination } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpIamAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Key } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

interface RestApiProps {
  /** Name of the deployment. */
  readonly stack: string;
  /** Serve API. */
  readonly serveApi: IFunction;
  readonly logRetention: RetentionDays;
  /** Customer-managed key of log groups. */
  readonly logsKeyArn: string | undefined;
}

/** A path below `/api/v1` each, so that a policy can name what somebody may ask: `execute-api:Invoke` on `.../GET/api/v1/list`. */
const routes: Readonly<Record<"GET" | "POST" | "DELETE", readonly string[]>> = {
  GET: ["check", "docs", "get_backup", "get_restore", "hello", "list"],
  POST: ["create", "restore", "restore_secondary"],
  DELETE: ["delete"],
};

/** Requests a second, and at once, of all who ask: what waits for a backup asks every few seconds. */
const throttle = { rateLimit: 20, burstLimit: 40 };

/** What is kept of a request: who asked what, and what became of it. Queries (names of backups) and bodies are not. */
const logged = {
  time: "$context.requestTime",
  requestId: "$context.requestId",
  caller: "$context.identity.userArn",
  sourceIp: "$context.identity.sourceIp",
  route: "$context.routeKey",
  status: "$context.status",
  error: "$context.error.message",
  integrationError: "$context.integrationErrorMessage",
  milliseconds: "$context.responseLatency",
  bytes: "$context.responseLength",
};

/** milvus-backup's REST API as an HTTP API: whoever signs requests and may `execute-api:Invoke` is let in, nobody else. */
export class RestApi extends Construct {
  readonly #api: HttpApi;

  constructor(scope: Construct, id: string, { stack, serveApi, logRetention, logsKeyArn }: RestApiProps) {
    super(scope, id);
    this.#api = new HttpApi(this, "Api", {
      apiName: `${stack}-api`,
      description: "milvus-backup: its REST API, over executions of the pipeline",
      createDefaultStage: false,
      defaultAuthorizer: new HttpIamAuthorizer(),
    });
    // 29 s: API Gateway waits no longer, and the function answers before.
    const integration = new HttpLambdaIntegration("Function", serveApi, {
      timeout: Duration.seconds(29),
      scopePermissionToRoute: false,
    });
    for (const [method, names] of Object.entries(routes)) {
      for (const name of names) {
        this.#api.addRoutes({ path: `/api/v1/${name}`, methods: [method as HttpMethod], integration });
      }
    }
    const logGroup = new LogGroup(this, "Logs", {
      logGroupName: `/aws/vendedlogs/apis/${stack}-api`,
      retention: logRetention,
      ...(logsKeyArn !== undefined && { encryptionKey: Key.fromKeyArn(this, "LogsKey", logsKeyArn) }),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new HttpStage(this, "Stage", {
      httpApi: this.#api,
      stageName: "$default",
      autoDeploy: true,
      throttle,
      accessLogSettings: {
        destination: new LogGroupLogDestination(logGroup),
        format: AccessLogFormat.custom(JSON.stringify(logged)),
      },
    });
  }

  /** `https://ID.execute-api.REGION.amazonaws.com/api/v1` */
  get url(): string {
    return `${this.#api.apiEndpoint}/api/v1`;
  }

  /** What of it may be called, for a policy: all of it. */
  get arn(): string {
    return Stack.of(this).formatArn({
      service: "execute-api",
      resource: this.#api.apiId,
      resourceName: "*/*/api/v1/*",
    });
  }
}
