import { PipelineError } from "../../core/execution/errors.ts";

/** As long as the largest part may take without an answer; the clients of Azure and Google wait for good. */
const limitMilliseconds = 300_000;

/**
 * What a request answers, unless it takes longer than five minutes.
 * @throws StoreBusy then: it is to be made again
 */
export async function withinTime<T>(what: string, request: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new PipelineError("StoreBusy", `${what} was not answered within ${limitMilliseconds / 1000} s`));
    }, limitMilliseconds);
  });
  try {
    return await Promise.race([request, over]);
  } finally {
    clearTimeout(timer);
  }
}
