import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { documents } from "../../../cli/documents/index.ts";
import { documentSchemaFile, generatedFiles } from "../../../packaging/schemas.ts";
import { parseDocument } from "../../support/documents.ts";

const page = readFileSync(new URL("../../../docs/json.md", import.meta.url), "utf8");
const project = new URL("../../../", import.meta.url);
const generated = await generatedFiles();

test("the schemas are those of the code: npm run schemas writes them", () => {
  for (const [path, text] of generated) expect(readFileSync(new URL(path, project), "utf8"), path).toBe(text);
});

test.each(["schemas/documents", "schemas/events"])("%s holds nothing else", (folder) => {
  const there = readdirSync(new URL(folder, project)).map((file) => `${folder}/${file}`);
  expect(there.sort()).toEqual([...generated.keys()].filter((path) => path.startsWith(`${folder}/`)).sort());
});

describe.each(Object.keys(documents))("document %s", (kind) => {
  test("is in docs/json.md", () => {
    expect(page).toMatch(new RegExp(`^\\| \`${kind}\` +\\|`, "m"));
  });

  test("says its kind and version, and may get more fields", () => {
    const schema = JSON.parse(generated.get(documentSchemaFile(kind)) ?? "");
    for (const alternative of schema.anyOf ?? [schema]) {
      expect(alternative.properties).toMatchObject({ kind: { const: kind }, version: { const: 1 } });
      expect(alternative.required).toEqual(expect.arrayContaining(["kind", "version"]));
      expect(JSON.stringify(alternative)).not.toContain('"additionalProperties":false');
    }
  });
});

test.each([
  ['{"kind":"nothing"}', "there is no document nothing"],
  ['{"kind":"checks","version":1,"ok":true,"checks":[],"more":1}', '"more"'],
  ['{"kind":"checks","version":1,"ok":"yes","checks":[]}', "ok"],
  ['{"kind":"registration","version":2,"environment":"a","outcome":"created"}', "version"],
])("what is no document is refused: %s", (text, message) => {
  expect(() => parseDocument(text)).toThrow(message);
});
