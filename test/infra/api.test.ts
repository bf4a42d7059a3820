import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import { actionsOf, pipelineTemplate, resourcesOf, statementsOf } from "./synthesized.ts";

const pipeline = `
environments:
  prod: { milvusBuckets: [milvus/files], backupBuckets: [backups/backup] }
  other: { milvusBuckets: [other/files], backupBuckets: [other/backup] }
api: { environment: prod }
`;
const template = pipelineTemplate({ pipeline });

describe("the section api", () => {
  it("makes an API whose every request is authorised by IAM, and no other way in", () => {
    const routes = Object.values(template.findResources("AWS::ApiGatewayV2::Route")).map(
      ({ Properties }) => Properties,
    );

    expect(routes.map(({ RouteKey }) => RouteKey).sort()).toEqual([
      "DELETE /api/v1/delete",
      "GET /api/v1/check",
      "GET /api/v1/docs",
      "GET /api/v1/get_backup",
      "GET /api/v1/get_restore",
      "GET /api/v1/hello",
      "GET /api/v1/list",
      "POST /api/v1/create",
      "POST /api/v1/restore",
      "POST /api/v1/restore_secondary",
    ]);
    expect(new Set(routes.map(({ AuthorizationType }) => AuthorizationType))).toEqual(new Set(["AWS_IAM"]));
    template.hasResourceProperties("AWS::ApiGatewayV2::Api", {
      ...{ Name: "MilvusBackup-api", ProtocolType: "HTTP", CorsConfiguration: Match.absent() },
    });
    expect(template.findResources("AWS::Lambda::Url")).toEqual({});
  });

  it("hands requests to the version that was deployed last, for as long as API Gateway waits", () => {
    template.resourceCountIs("AWS::ApiGatewayV2::Integration", 1);
    template.hasResourceProperties("AWS::ApiGatewayV2::Integration", {
      ...{ IntegrationType: "AWS_PROXY", PayloadFormatVersion: "2.0", TimeoutInMillis: 29_000 },
      IntegrationUri: { Ref: Match.stringLikeRegexp("^ServeApiLive") },
    });
    template.hasResourceProperties("AWS::Lambda::Function", {
      ...{ FunctionName: "MilvusBackup-serve-api", Timeout: 30 },
      Environment: { Variables: Match.objectLike({ API_ENVIRONMENT: "prod" }) },
    });
    const permissions = Object.values(template.findResources("AWS::Lambda::Permission"));
    expect(permissions).toHaveLength(1);
    expect(permissions[0]?.Properties).toMatchObject({
      Principal: "apigateway.amazonaws.com",
      SourceArn: expect.anything(),
      FunctionName: { Ref: expect.stringMatching(/^ServeApiLive/) },
    });
  });

  it("bounds how often it is asked, and logs who asked what, without queries and bodies", () => {
    const [stage] = Object.values(template.findResources("AWS::ApiGatewayV2::Stage"));
    const { Format } = stage?.Properties.AccessLogSettings ?? {};

    expect(stage?.Properties).toMatchObject({
      ...{ StageName: "$default", DefaultRouteSettings: { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 } },
    });
    expect(JSON.parse(Format)).toMatchObject({ caller: "$context.identity.userArn", route: "$context.routeKey" });
    expect(Format).not.toMatch(/\$context\.(path|authorizer|identity\.accessKey)|query|body|header/i);
    template.hasResourceProperties("AWS::Logs::LogGroup", {
      ...{ LogGroupName: "/aws/vendedlogs/apis/MilvusBackup-api", RetentionInDays: 30 },
    });
  });

  it("lets its function start backups and restores and no other machine, and touch the data of its environment only", () => {
    const statements = statementsOf(template, "ServeApi");
    const granted = (action: string) =>
      statements.filter((it) => actionsOf(it).includes(action)).flatMap((it) => resourcesOf(it));

    const started = granted("states:StartExecution").map((arn) => /^<([A-Z][a-z]+)StateMachine/.exec(arn)?.[1]);
    expect(started).toEqual(["Backup", "Restore"]);
    expect(granted("states:ListExecutions")).toHaveLength(1);
    expect(granted("lambda:InvokeFunction").map((arn) => arn.replace(/Function/g, ""))).toEqual([
      "<CopySegments>",
      "<PrepareBackup>",
    ]);
    expect(granted("s3:DeleteObject")).toEqual(["arn:aws:s3:::backups/backup/*"]);
    expect(JSON.stringify(statements)).not.toMatch(/other\/|:::other|s3:PutObjectRetention|sts:/);
    expect(
      statements
        .filter(({ Sid }) => /WorkFiles$/.test(Sid ?? ""))
        .flatMap(actionsOf)
        .sort(),
    ).toEqual(["s3:GetObject", "s3:ListBucket"]);
  });

  it("is told in an output, and nothing of it is there without the section", () => {
    expect(Object.keys(template.toJSON().Outputs)).toContain("ApiUrl");
    const without = pipelineTemplate({ pipeline: "environments: { prod: }" });
    expect(JSON.stringify(without.toJSON())).not.toMatch(/ApiGatewayV2|serve-api|ApiUrl/);
  });

  it.each([
    ["api: { environment: nope }", /api\.environment: names nope, which is not under environments; declared are: prod/],
    ["api: {}", /api\.environment/],
    ["api: { environment: prod, stage: v1 }", /api\.stage is not a known key; accepted: environment/],
  ])("%s is refused", (text, message) => {
    expect(() => parsePipelineYaml(`environments: { prod: }\n${text}`, "pipeline.yaml")).toThrow(message);
  });
});
