export { connectGcs } from "./bucket.ts";
export { GcsObjectStore } from "./object-store.ts";
