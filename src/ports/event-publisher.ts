import type { AnnouncedDetail, DetailType } from "../core/deployment/events.ts";

/** Tells the account's event bus what happened, in the schema of `core/deployment/events.ts`. */
export interface EventPublisher {
  /** @throws what the bus answers where it does not take the event */
  publish<Type extends DetailType>(detailType: Type, detail: AnnouncedDetail<Type>): Promise<void>;
}
