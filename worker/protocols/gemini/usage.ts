import type { Json, JsonObject } from "../../core/json.ts";
import { completionTokens, NO_USAGE, promptTokens, tokenCount } from "../../core/usage.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { objectsIn } from "../answers.ts";

/**
 * Reads `usageMetadata` into disjoint classes (PROTOCOLS 20): cached tokens are part of the prompt, thoughts stand
 * beside the candidates, and what tools brought in stands beside the prompt.
 */
export function parseUsage(from: JsonObject): TokenUsage {
  const cacheRead = tokenCount(from["cachedContentTokenCount"]);
  let input =
    Math.max(0, tokenCount(from["promptTokenCount"]) - cacheRead) +
    tokenCount(from["toolUsePromptTokenCount"]);
  const cached = from["cacheTokensDetails"];
  const ofPrompt = (modality: string) => {
    const told = counted(from["promptTokensDetails"], modality) - counted(cached, modality);
    const tokens = Math.min(Math.max(0, told), input);
    input -= tokens;
    return tokens;
  };
  const audioInput = ofPrompt("AUDIO");
  const imageInput = ofPrompt("IMAGE");
  const output = tokenCount(from["candidatesTokenCount"]);
  const audioOutput = Math.min(counted(from["candidatesTokensDetails"], "AUDIO"), output);
  return {
    ...NO_USAGE,
    input,
    cacheRead,
    audioInput,
    imageInput,
    output: output - audioOutput,
    audioOutput,
    reasoning: tokenCount(from["thoughtsTokenCount"]),
  };
}

/** True for usage that counts something; the first chunks of a stream may only name the kind of traffic. */
export function tellsUsage(from: JsonObject): boolean {
  return from["promptTokenCount"] !== undefined || from["totalTokenCount"] !== undefined;
}

function counted(details: Json | undefined, modality: string): number {
  return objectsIn(details)
    .filter((each) => each["modality"] === modality)
    .reduce((sum, each) => sum + tokenCount(each["tokenCount"]), 0);
}

/** Usage in Google's form. */
export function encodeUsage(usage: TokenUsage): JsonObject {
  const prompt = promptTokens(usage);
  const completion = completionTokens(usage);
  const details = (list: [string, number][]) =>
    list.flatMap(([modality, tokens]) => (tokens > 0 ? [{ modality, tokenCount: tokens }] : []));
  const spoken = usage.audioInput + usage.imageInput > 0;
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: completion - usage.reasoning,
    totalTokenCount: prompt + completion,
    ...(usage.cacheRead > 0 && { cachedContentTokenCount: usage.cacheRead }),
    ...(usage.reasoning > 0 && { thoughtsTokenCount: usage.reasoning }),
    ...(spoken && {
      promptTokensDetails: details([
        ["TEXT", prompt - usage.audioInput - usage.imageInput],
        ["AUDIO", usage.audioInput],
        ["IMAGE", usage.imageInput],
      ]),
    }),
    ...(usage.audioOutput > 0 && {
      candidatesTokensDetails: details([
        ["TEXT", usage.output],
        ["AUDIO", usage.audioOutput],
      ]),
    }),
  };
}
