import { expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/index.ts";
import { payloadOf } from "../../../support/binlog-writer.ts";

/** Each of them another text in Milvus: files that were cut into pieces begin with a byte order mark. */
const texts = ["\ufeffhead", "head", "", null, "\ufeff", "in\ufeffside", "größe 漢字 🙂"];

test("a text is read as it is stored, with the byte order mark that it may begin with", () => {
  const payload = payloadOf({ type: "text", values: texts });

  const { columns } = parquetPayloads.read(payload, { offset: 0, rows: 100 });

  expect(texts.map((_, row) => columns[0]?.at(row))).toEqual(texts);
  const second = parquetPayloads.read(payload, { offset: 4, rows: 2 });
  expect([0, 1].map((row) => second.columns[0]?.at(row))).toEqual(["\ufeff", "in\ufeffside"]);
});
