import { describe, expect, it } from "vitest";
import {
  backupInfo,
  collectionBackup,
  collectionSchema,
  deltaLogsOf,
  fieldSchema,
  indexInfo,
  keyValuePair,
  partitionBackup,
  segmentBackup,
} from "../../../../src/core/format/meta.ts";
import { parseFile } from "../../../../src/core/format/meta-codec.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";

const parse = (text: string) => parseFile(backupInfo, text, "full_meta.json");
const corrupt = (message: string) => expect.objectContaining({ name: "CorruptBackup", message });

describe("reading records", () => {
  it("reads the golden backup without a warning, IDs with all their digits", () => {
    // act
    const { value, warnings } = parse(goldenFiles.full_meta);

    // assess
    expect(warnings).toEqual([]);
    expect(value.collection_backups.map((collection) => collection.collection_name)).toEqual([
      "by_tenant",
      "empty",
      "all_types",
      "auto_ids",
    ]);
    expect(value.collection_backups[0]?.collection_id).toBe(470615367219551002n);
  });

  it("fills in the zero value of everything that is absent or null", () => {
    // act
    const { value } = parse('{"collection_backups":null,"rbac_meta":null,"size":null}');

    // assess
    expect(value).toEqual(backupInfo.create({}));
    expect(Object.values(value)).not.toHaveLength(0);
    expect(value.collection_backups).toEqual([]);
    expect(value.flush_all_msgs_base64).toEqual({});
  });

  it.each([
    ["a quoted number", '"100"', 'expected an integer, found "100"'],
    ["a fraction", "100.0", "expected an integer, found 100.0"],
    ["an exponent", "1e2", "expected an integer, found 1e2"],
    ["more than 64 bits", "9223372036854775808", "expected a signed 64-bit integer, found 9223372036854775808"],
    ["a list", "[100]", "expected an integer, found a list"],
  ])("rejects %s as an ID and says where", (_what, id, reason) => {
    const text = goldenFiles.full_meta.replace('"fieldID":100', `"fieldID":${id}`);
    expect(() => parse(text)).toThrow(
      corrupt(`full_meta.json: collection_backups[0].schema.fields[0].fieldID: ${reason}`),
    );
  });

  it.each([
    ['{"size":"1"}', 'full_meta.json: size: expected an integer, found "1"'],
    ['{"name":7}', "full_meta.json: name: expected a string, found 7"],
    ['{"backup_timestamp":-1}', "full_meta.json: backup_timestamp: expected an unsigned 64-bit integer, found -1"],
    ['{"state_code":2147483648}', "full_meta.json: state_code: expected a signed 32-bit integer, found 2147483648"],
    ['{"collection_backups":{}}', "full_meta.json: collection_backups: expected a list, found an object"],
    ['{"collection_backups":[7]}', "full_meta.json: collection_backups[0]: expected an object, found 7"],
    [
      '{"collection_backups":[{"schema":{"fields":[{"is_dynamic":1}]}}]}',
      "full_meta.json: collection_backups[0].schema.fields[0].is_dynamic: expected true or false, found 1",
    ],
    ['{"collection_backups":[{}]}', "full_meta.json: collection_backups[0].schema: expected an object, found nothing"],
    ['{"flush_all_msgs_base64":{"ch":1}}', "full_meta.json: flush_all_msgs_base64.ch: expected a string, found 1"],
    ["[]", "full_meta.json: the whole file: expected an object, found a list"],
    ["null", "full_meta.json: the whole file: expected an object, found null"],
    ["12", "full_meta.json: the whole file: expected an object, found 12"],
  ])("rejects %s", (text, message) => {
    expect(() => parse(text)).toThrow(corrupt(message));
  });

  it("reads on over unknown keys and warns once for all items of a list", () => {
    // act
    const { value, warnings } = parse(
      '{"name":"b","from_the_future":{"a":1},"database_backups":[{"x":1,"db_name":"a"},{"x":2}]}',
    );

    // assess
    expect(value.database_backups.map((database) => database.db_name)).toEqual(["a", ""]);
    expect(warnings).toEqual([
      "full_meta.json: from_the_future is not known to this version and is ignored",
      "full_meta.json: database_backups[].x is not known to this version and is ignored (2 times)",
    ]);
  });

  it("reads the task state of older milvus-backup versions without a warning", () => {
    const old = '{"state_code":2,"start_time":1690000000000,"end_time":1690000001000,"progress":100,"errorMessage":""}';
    expect(parse(old)).toEqual({ value: backupInfo.create({ state_code: 2 }), warnings: [] });
  });
});

describe("printing records", () => {
  it("leaves out zero values but for size, has_index, state_code and log_size", () => {
    expect(backupInfo.print(backupInfo.zero())).toBe('{"state_code":0,"size":0}');
    expect(collectionBackup.print(collectionBackup.create({ schema: collectionSchema.zero() }))).toBe(
      '{"schema":{},"size":0,"has_index":false}',
    );
    expect(partitionBackup.print(partitionBackup.zero())).toBe('{"size":0}');
    expect(fieldSchema.print(fieldSchema.create({ name: "id" }))).toBe('{"name":"id"}');
  });

  it('prints "deltalogs":[{}] for a segment without deletes', () => {
    const segment = segmentBackup.create({ segment_id: 1n, deltalogs: deltaLogsOf([]) });
    expect(segmentBackup.print(segment)).toBe('{"segment_id":1,"deltalogs":[{}],"size":0}');
  });

  it("prints 64-bit extremes as bare numbers", () => {
    const collection = { collection_id: -(2n ** 63n), backup_timestamp: 2n ** 64n - 1n, db_id: 2n ** 63n - 1n };
    expect(collectionBackup.print(collectionBackup.create(collection))).toBe(
      '{"collection_id":-9223372036854775808,"schema":{},"backup_timestamp":18446744073709551615,"size":0,"has_index":false,"db_id":9223372036854775807}',
    );
  });

  it("escapes text as Go does", () => {
    const pair = keyValuePair.create({ key: '<a href="x">&', value: "\u2028\u2029\b\f\n\r\t\u0001\u007f\\/é漢😀" });
    expect(keyValuePair.print(pair)).toBe(
      '{"key":"\\u003ca href=\\"x\\"\\u003e\\u0026","value":"\\u2028\\u2029\\b\\f\\n\\r\\t\\u0001\u007f\\\\/é漢😀"}',
    );
  });

  it("prints maps in the order of their keys' bytes", () => {
    const params = Object.fromEntries(["b", "10", "9", "__proto__", "\uffee", "😀", "B"].map((key) => [key, "1"]));
    expect(indexInfo.print(indexInfo.create({ params }))).toBe(
      '{"params":{"10":"1","9":"1","B":"1","__proto__":"1","b":"1","\uffee":"1","😀":"1"}}',
    );
  });
});
