export { connectAzure } from "./container.ts";
export { AzureObjectStore } from "./object-store.ts";
