import type { CollectionDescription } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { flushedWithServer, type ServerFlush } from "../../core/plan/server-flush.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StepLog } from "../../ports/step-context.ts";
import type { Cut, SegmentSource } from "./cut.ts";
import type { SegmentLooks } from "./segment-looks.ts";

interface Together {
  readonly flush: ServerFlush;
  /** What takes a collection whose segments changed since. */
  readonly alone: SegmentSource;
  readonly log: StepLog;
}

/**
 * The segments of a collection as they were at a flush of the whole server, which all collections share the instant of. One of which
 * segments were rewritten between the flush and the list is flushed by itself, at an instant of its own: the others keep theirs.
 */
export class FlushedTogether implements SegmentSource {
  readonly #milvus: Milvus;
  readonly #looks: SegmentLooks;
  readonly #options: Together;

  constructor(milvus: Milvus, looks: SegmentLooks, options: Together) {
    this.#milvus = milvus;
    this.#looks = looks;
    this.#options = options;
  }

  async cut(collection: CollectionDescription): Promise<Cut> {
    const { flush, alone, log } = this.#options;
    const listed = await this.#milvus.listSegments(collection.name);
    const flushed = flushedWithServer(collection, flush, listed);
    const looked = "torn" in flushed ? flushed : await this.#looks.look(collection, listed, flushed);
    if ("cut" in looked) return looked.cut;
    log.info("not as the flush of the server left it: flushed by itself", {
      collection: qualifiedName(collection.name),
      segments: looked.torn.length,
    });
    return alone.cut(collection);
  }
}
