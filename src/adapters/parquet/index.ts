export { parquetPayloads } from "./payload-reader.ts";
export { tableFiles } from "./table-files.ts";
