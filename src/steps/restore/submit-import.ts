import { PipelineError } from "../../core/execution/errors.ts";
import type { ImportRequest, ImportWay } from "../../core/milvus/descriptions.ts";
import { type Instant, wantsHybridTimestamp } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { readsHybridEnd } from "../../core/milvus/version.ts";
import { importFiles } from "../../core/plan/restore-work.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJson } from "../shared/work-files.ts";
import { checkStillThere } from "./check-still-there.ts";
import type { EncryptionKeys } from "./encryption-keys.ts";
import type { Import, ImportRecords } from "./import-records.ts";

interface SubmitOptions {
  /** Where it is said what an import reads. */
  readonly filesKey: (task: number) => string;
  /** Looks whether the restore still has a target (`db.coll`): the Lambda of an execution that was stopped goes on. @throws ClaimLost */
  readonly confirm: (target: string) => Promise<void>;
  readonly encryptionKeys: Pick<EncryptionKeys, "of" | "withoutKeys">;
  /** Whether the server is known to take the end of an import as a hybrid timestamp only. */
  readonly refusedMilliseconds: boolean;
}

/** An import is asked for so often when Milvus never answers, each time for minutes. */
const mostAsked = 4;

/** Asks Milvus for imports, each written down before it is asked for and again when there is an answer. */
export class ImportSubmitter {
  readonly #records: ImportRecords;
  readonly #milvus: Milvus;
  readonly #context: StepContext;
  readonly #options: SubmitOptions;
  /** Whether the server has refused the end of an import in milliseconds, now or earlier. */
  refusedMilliseconds: boolean;
  /** Why an import was without an answer, by its number. */
  readonly #unanswered = new Map<number, string>();

  constructor(records: ImportRecords, milvus: Milvus, context: StepContext, options: SubmitOptions) {
    this.#records = records;
    this.#milvus = milvus;
    this.#context = context;
    this.#options = options;
    this.refusedMilliseconds = options.refusedMilliseconds;
  }

  /**
   * What was asked for without an answer may be made minutes later: Milvus goes on when it waits no longer (HTTP 408), and 2.6 makes jobs from
   * its log.
   */
  mayStillAppear(item: Import, { settleSeconds }: ImportWay): boolean {
    const { state, askedAt } = this.#records.of(item) ?? {};
    if (state !== "submitting") return false;
    return this.#context.clock.now().getTime() - Date.parse(askedAt ?? "") < settleSeconds * 1000;
  }

  /**
   * @returns false where there was no answer: nobody knows whether it is submitted
   * @throws what Milvus refuses it with: then it is not; ImportFailed where it never answered, however often it was asked
   */
  async submit(item: Import, mark: { readonly again?: true } = {}): Promise<boolean> {
    const { task, partition, kind, storageVersion } = item.planned;
    if (kind === "rows") throw new Error(`${into(item)} is inserted, not imported`);
    const { working: name, instant } = item.collection;
    const files = await readWorkJson(this.#context, this.#options.filesKey(task), importFiles);
    const encryptionKey = await this.#options.encryptionKeys.of(item.collection.source.database);
    const encrypted = encryptionKey === undefined ? {} : { encryptionKey };
    const request = { name, partition, files, kind, storageVersion, ...encrypted };
    await this.#options.confirm(qualifiedName(item.collection.target));
    await checkStillThere(this.#milvus, this.#records, item.collection);
    const earlier = this.#records.of(item);
    const asked = earlier?.state === "submitting" ? (earlier.asked ?? 1) : 0;
    if (asked >= mostAsked) {
      // whoever starts the restore again asks again
      await this.#asking(item, 0, mark);
      throw this.#neverAnswered(item);
    }
    // Before: whoever goes on after a lost answer knows which one may be there.
    await this.#asking(item, asked + 1, mark);
    try {
      const id = instant ? await this.#submitUpTo(request, instant) : await this.#milvus.submitImport(request);
      this.#records.set(item, { id, state: "submitted", rows: "0", ...mark });
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      if (error.details.mayHaveBegun === false) {
        // It is not there: whoever tries again need not wait for it to appear.
        this.#records.drop(item);
        await this.#records.write();
      }
      if (error.details.mayHaveBegun !== true) throw error;
      this.#context.log.warn("Milvus did not answer an import: it is looked for before it is asked again", {
        task,
        into: into(item),
        because: error.message,
      });
      this.#unanswered.set(task, error.message);
      // it may appear so long after it was given up
      await this.#asking(item, asked + 1, mark);
      return false;
    }
    // At once: what is submitted and not recorded is only found again by its files.
    await this.#records.write();
    return true;
  }

  async #asking(item: Import, asked: number, mark: { readonly again?: true }): Promise<void> {
    const askedAt = this.#context.clock.now().toISOString();
    this.#records.set(item, { id: "", state: "submitting", rows: "0", askedAt, asked, ...mark });
    await this.#records.write();
  }

  /** Milliseconds first where nobody knows: a server that wants the other says so, and filters nothing before it has. */
  async #submitUpTo(request: ImportRequest, { timestamp }: Instant): Promise<string> {
    const hybrid = { ...request, end: { timestamp, unit: "hybrid" } } as const;
    if (this.refusedMilliseconds || readsHybridEnd(await this.#milvus.version()))
      return this.#milvus.submitImport(hybrid);
    try {
      return await this.#milvus.submitImport({ ...request, end: { timestamp } });
    } catch (error) {
      if (!(error instanceof PipelineError) || !wantsHybridTimestamp(error.message)) throw error;
      this.refusedMilliseconds = true;
      return this.#milvus.submitImport(hybrid);
    }
  }

  #neverAnswered(item: Import): PipelineError {
    const reason = this.#unanswered.get(item.planned.task);
    return new PipelineError(
      "ImportFailed",
      `Milvus at ${this.#milvus.address} was asked ${mostAsked} times to import into ${into(item)}, never answered in time and does not list it. It lists every ` +
        "file of an import in its object store before it answers: look whether that is slow or out of its reach, then start the same restore again" +
        (reason === undefined ? "" : ` (the last time: ${reason})`),
    );
  }
}

/** For messages: `default.coll (partition p1)`. */
export function into({ collection, planned }: Import): string {
  return `${qualifiedName(collection.target)}${planned.partition ? ` (partition ${planned.partition})` : ""}`;
}
