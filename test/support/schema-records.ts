import { collectionSchema, fieldSchema, structArrayField } from "../../src/core/format/meta.ts";

/** Records of schemas as the metas hold them: two fields, a collection of them, and a struct array. */
export const id = fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true });
export const vec = fieldSchema.create({
  fieldID: 101n,
  name: "vec",
  data_type: 101,
  type_params: [{ key: "dim", value: "8" }],
});
export const base = collectionSchema.create({ fields: [id, vec] });
export const struct = structArrayField.create({
  fieldID: 102n,
  name: "chunks",
  fields: [fieldSchema.create({ fieldID: 103n, name: "text", data_type: 22, element_type: 21 })],
});
