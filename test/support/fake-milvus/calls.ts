import type { FakeModel } from "./model.ts";
import type { Message } from "./refusal.ts";

export interface Call {
  readonly request: Message;
  /** Of the request, or of its metadata. */
  readonly database: string;
}

/**
 * What the server does with a call, by its name; what comes back (a message, nothing, or a promise of either) is laid over a `status` of
 * success.
 * @throws Refusal
 */
export type Calls = Readonly<Record<string, (call: Call) => unknown>>;

export type CallsOf = (model: FakeModel) => Calls;

/** The name of the collection that a call is about. */
export function collectionName({ request }: Call): string {
  return String(request.collection_name ?? request.collectionName ?? "");
}
