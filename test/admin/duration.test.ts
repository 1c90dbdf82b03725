import { describe, expect, it } from "vitest";
import { addDuration, isDuration } from "../../worker/admin/duration.ts";

describe("addDuration", () => {
  it("adds each unit of the grammar; a month is the same day, or the month's last", () => {
    const from = Date.UTC(2027, 0, 31, 10);
    const at = (text: string) => new Date(addDuration(from, text) ?? Number.NaN).toISOString();
    expect(at("30s")).toBe("2027-01-31T10:00:30.000Z");
    expect(at("90m")).toBe("2027-01-31T11:30:00.000Z");
    expect(at("12h")).toBe("2027-01-31T22:00:00.000Z");
    expect(at("30d")).toBe("2027-03-02T10:00:00.000Z");
    expect(at("2w")).toBe("2027-02-14T10:00:00.000Z");
    expect(at("1mo")).toBe("2027-02-28T10:00:00.000Z");
    expect(at("13mo")).toBe("2028-02-29T10:00:00.000Z");
  });

  it("takes nothing else", () => {
    for (const text of [
      "",
      "30",
      "d",
      "0d",
      "-1d",
      "1.5h",
      "1hr",
      "1y",
      " 1d",
      "1d ",
      "1D",
      "999999999mo",
      "37000d",
    ]) {
      expect(isDuration(text), text).toBe(false);
    }
  });
});
