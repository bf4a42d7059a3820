import * as z from "zod";
import type { Shape } from "../../src/core/format/meta-codec.ts";
import { backupAnswer, deleteAnswer, listAnswer, restoreAnswer } from "./answers.ts";
import { createRequest, restoreRequest } from "./requests.ts";

type Schema = Readonly<Record<string, unknown>>;

/** What a record of answers looks like as JSON Schema; zero values are left out, so that nothing is required. */
function schemaOf(shape: Shape): Schema {
  switch (shape.kind) {
    case "text":
      return { type: "string" };
    case "bool":
      return { type: "boolean" };
    case "textMap":
      return { type: "object", additionalProperties: { type: "string" } };
    case "list":
      return { type: "array", items: schemaOf(shape.of) };
    case "optional":
      return { anyOf: [schemaOf(shape.of), { type: "null" }] };
    case "record":
      return {
        type: "object",
        properties: Object.fromEntries(Object.entries(shape.fields).map(([key, of]) => [key, schemaOf(of)])),
      };
    default:
      return { type: "integer", format: shape.kind };
  }
}

const requestId = { name: "request_id", in: "header", schema: { type: "string" } };

function query(name: string, description: string, required = false): Schema {
  return { name, in: "query", description, required, schema: { type: "string" } };
}

function json(schema: Schema) {
  return { "application/json": { schema } };
}

function operation(
  summary: string,
  { answer, body, parameters = [] }: { answer: Shape; body?: z.ZodType; parameters?: readonly Schema[] },
): Schema {
  return {
    summary,
    parameters: [requestId, ...parameters],
    ...(body && {
      requestBody: { required: true, content: json(z.toJSONSchema(body, { target: "draft-2020-12" }) as Schema) },
    }),
    responses: {
      200: { description: "done or refused: code and msg say which", content: json(schemaOf(answer)) },
      400: { description: "the body is not what is accepted", content: json(errorSchema) },
      default: { description: "not allowed (401, 403), too long (413), or a fault (500)", content: json(errorSchema) },
    },
  };
}

const errorSchema = { type: "object", properties: { error: { type: "string" } } };

function words(summary: string): Schema {
  return {
    summary,
    responses: { 200: { description: "text", content: { "text/plain": { schema: { type: "string" } } } } },
  };
}

/** The document of `GET /api/v1/docs`, made of what requests are checked with and answers are printed with. */
export const openApi: Schema = {
  openapi: "3.1.0",
  info: {
    title: "Serverless backup for Milvus",
    version: "1.0",
    description: "The REST API of milvus-backup 0.5.16, over a pipeline of state machines.",
  },
  servers: [{ url: "/api/v1" }],
  paths: {
    "/create": { post: operation("Back up collections", { answer: backupAnswer.shape, body: createRequest }) },
    "/get_backup": {
      get: operation("What a backup is, or how far", {
        answer: backupAnswer.shape,
        parameters: [
          query("backup_name", "one of these two is required"),
          query("backup_id", "as create answered it (requestId), or list (id)"),
          query("path", "the environment's own root path of backups"),
        ],
      }),
    },
    "/list": { get: operation("The backups", { answer: listAnswer.shape }) },
    "/delete": {
      delete: operation("Delete a backup for good", {
        answer: deleteAnswer.shape,
        parameters: [
          query("backup_name", "which", true),
          query("confirm", "the environment's name, where it is protected"),
        ],
      }),
    },
    "/restore": { post: operation("Restore collections", { answer: restoreAnswer.shape, body: restoreRequest }) },
    "/get_restore": {
      get: operation("How far a restore is", {
        answer: restoreAnswer.shape,
        parameters: [query("id", "as restore answered it (data.id)", true)],
      }),
    },
    "/check": { get: words("Try every permission that backups and restores need") },
    "/hello": { get: words("Whether anybody is there; needs no token") },
  },
};
