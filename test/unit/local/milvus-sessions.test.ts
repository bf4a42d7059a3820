import { describe, expect, it } from "vitest";
import { staleSessions } from "../../../local/milvus-sessions.ts";

const entry = (key: string, value: unknown) => ({ key, value: Buffer.from(JSON.stringify(value)).toString("base64") });

describe("staleSessions", () => {
  it("are those of every server but the latest", () => {
    const entries = [
      entry("id", 4),
      entry("proxy-1", { ServerID: 1 }),
      entry("proxy-3", { ServerID: 3 }),
      entry("rootcoord", { ServerID: 3 }),
    ];

    expect(staleSessions(entries)).toEqual(["proxy-1"]);
  });

  it("are none where there is no session", () => {
    expect(staleSessions([])).toEqual([]);
    expect(staleSessions([entry("id", 1), { key: "empty" }])).toEqual([]);
  });
});
