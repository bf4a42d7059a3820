/**
 * What travels between state machines, Lambdas and the work bucket. Execution inputs are the public contract, everything else is internal.
 * States carry names, keys and counts only; plans, batches and receipts are files in the work bucket (a state's payload is capped at 256 KiB).
 */
export * from "./inputs.ts";
export * from "./requests.ts";
export * from "./results.ts";
