import { expect, test } from "vitest";
import { announcedLimits, ANTHROPIC_LIMITS, OPENAI_LIMITS } from "../../worker/protocols/limits.ts";

const openai = (remaining: string, reset: string, limit = "100") =>
  announcedLimits(
    new Headers({
      "x-ratelimit-limit-requests": limit,
      "x-ratelimit-remaining-requests": remaining,
      "x-ratelimit-reset-requests": reset,
    }),
    OPENAI_LIMITS,
  );

test("OpenAI's durations are read in every form; what can't be read is nothing", () => {
  const forms: [reset: string, ms: number][] = [
    ["1s", 1_000],
    ["6m0s", 360_000],
    ["1h2m3.5s", 3_723_500],
    ["20ms", 20],
    ["59.5", 59_500],
  ];
  for (const [reset, renewsIn] of forms) {
    expect(openai("0", reset), reset).toEqual({ used: 1, renewsIn });
  }
  expect(openai("25", "1s")).toEqual({ used: 0.75, renewsIn: 1_000 });
  expect(openai("-1", "1s")).toBeUndefined();
  for (const reset of ["", "soon", "1s!", "1y", "NaN"]) {
    expect(openai("0", reset), reset).toBeUndefined();
  }
  expect(openai("5", "1s", "0")).toBeUndefined();
});

test("the tightest limit tells; Anthropic's dates count from its own clock", () => {
  const headers = new Headers({
    date: "Thu, 26 Nov 2026 12:00:00 GMT",
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-11-26T12:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-26T12:00:42Z",
  });
  expect(announcedLimits(headers, ANTHROPIC_LIMITS)).toEqual({ used: 1, renewsIn: 42_000 });
  headers.delete("date");
  expect(announcedLimits(headers, ANTHROPIC_LIMITS)).toBeUndefined();
});
