import { describe, expect, it } from "vitest";
import { failureOf, loggedError } from "../../../../functions/shared/report-error.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";

describe("failureOf", () => {
  it("gives Step Functions the error's name, and name and message in one line", () => {
    const failure = failureOf(
      new PipelineError("BucketNotFound", "there is no bucket\n  b at s3", { details: { bucket: "b" } }),
    );

    expect(failure.name).toBe("BucketNotFound");
    expect(failure.message).toBe("BucketNotFound: there is no bucket b at s3");
  });

  it("hands on neither stack nor cause: an SDK's error may carry the request it signed", () => {
    const cause = Object.assign(new Error("denied"), { CanonicalRequest: "x-amz-security-token:s3cret" });

    const failure = failureOf(new PipelineError("StoreAccessDenied", "no access", { cause }));

    expect(failure.stack).toBe("StoreAccessDenied: no access");
    expect(JSON.stringify({ ...failure, cause: failure.cause })).not.toContain("s3cret");
  });

  it("keeps within what a cause may hold", () => {
    const segments = Array(10_000).fill("470615367219551016").join(", ");

    const failure = failureOf(new PipelineError("InconsistentSegments", `many: ${segments}`));

    expect(failure.message.length).toBeLessThan(9_000);
    expect(failure.message).toMatch(/^InconsistentSegments: many: .*\.\.\.$/);
  });

  it.each([
    [new TypeError("x is undefined"), "TypeError", "TypeError: x is undefined"],
    ["thrown text", "Error", "thrown text"],
  ])("takes what is not the pipeline's own as it is: %s", (thrown, name, message) => {
    expect(failureOf(thrown)).toMatchObject({ name, message });
  });
});

describe("loggedError", () => {
  it("keeps kind, details, stack and every cause's name and message", () => {
    const first = Object.assign(new Error("socket hang up"), { name: "TimeoutError" });
    const second = new Error("request failed", { cause: first });

    const logged = loggedError(new PipelineError("StoreBusy", "try again", { cause: second, details: { key: "k" } }));

    expect(logged).toMatchObject({
      name: "StoreBusy",
      kind: "transient",
      details: { key: "k" },
      causes: ["Error: request failed", "TimeoutError: socket hang up"],
    });
    expect(logged.stack).toContain("report-error.test.ts");
  });

  it("keeps no other field of a cause", () => {
    const cause = Object.assign(new Error("denied"), { StringToSign: "s3cret", $response: { headers: "s3cret" } });

    const logged = loggedError(new PipelineError("StoreAccessDenied", "no access", { cause }));

    expect(JSON.stringify(logged)).not.toContain("s3cret");
  });
});
