import { describe, expect, test } from "vitest";
import { drawPicture, formatPictures } from "../../../cli/output/pictures.ts";

describe("a vector as a picture", () => {
  test("two rows of pixels a line, set where they are above the middle of the vector's own values", () => {
    const values = [0, 255, 0, 255, 0, 0, 255, 255];

    expect(drawPicture(values, { width: 4, height: 2 })).toEqual([" ▀▄█"]);
    expect(
      drawPicture(
        values.map((value) => value / 255),
        { width: 4, height: 2 },
      ),
    ).toEqual([" ▀▄█"]);
    expect(drawPicture([-1, 1, 1, -1, 1, 1], { width: 2, height: 3 })).toEqual(["▄▀", "▀▀"]);
  });

  test("nothing is set in one that has a single value, and what is no number is not", () => {
    expect(drawPicture([5, 5, 5, 5], { width: 2, height: 2 })).toEqual(["  "]);
    expect(drawPicture([Number.NaN, 1, 0, Number.NaN], { width: 2, height: 2 })).toEqual([" ▀"]);
    expect(drawPicture([Number.NaN], { width: 1, height: 1 })).toEqual([" "]);
  });

  test("stand beside each other as a line has room, one below the other where it has none", () => {
    const one = (caption: string) => ({ lines: ["▀▄", "██"], caption });
    const pictures = ["a", "long", "c"].map(one);

    expect(formatPictures(pictures, 7)).toBe("▀▄   ▀▄\n██   ██\na    lo\n\n▀▄\n██\nc");
    expect(formatPictures(pictures, 1)).toBe("▀▄\n██\na\n\n▀▄\n██\nlo\n\n▀▄\n██\nc");
  });
});
