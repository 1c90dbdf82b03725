import type { ChatRequest, Part } from "../core/chat.ts";
import type { Capability, Deployment } from "../core/model.ts";

/** What a request needs of the model that serves it. */
export function needsOf(request: ChatRequest): Set<Capability> {
  const needs = new Set<Capability>();
  if (request.stream) needs.add("streaming");
  if (request.tools.some((tool) => tool.type === "function")) needs.add("tools");
  if (request.stream && needs.has("tools")) needs.add("streaming_tools");
  if (request.parallelToolCalls === true && request.tools.length > 0) needs.add("parallel_tools");
  if (request.responseFormat?.type === "schema") needs.add("json_schema");
  if (request.reasoning !== undefined && request.reasoning.effort !== "none")
    needs.add("reasoning");
  const { modalities } = request.extra;
  if (Array.isArray(modalities) && modalities.includes("audio")) needs.add("audio");
  for (const message of request.messages) addNeeds(message.parts, needs);
  return needs;
}

/** The first need that a deployment is known to lack, null when it lacks none (unknown counts as there). */
export function lackOf(deployment: Deployment, needs: ReadonlySet<Capability>): Capability | null {
  for (const need of needs) {
    if (deployment.facts.capabilities[need] === false) return need;
  }
  return null;
}

function addNeeds(parts: readonly Part[], needs: Set<Capability>): void {
  let calls = 0;
  for (const part of parts) {
    if (part.type === "image") needs.add("images");
    else if (part.type === "file") needs.add("files");
    else if (part.type === "audio") needs.add("audio");
    else if (part.type === "toolCall") calls += 1;
    else if (part.type === "toolResult") addNeeds(part.parts, needs);
  }
  // A turn that called several tools at once can't be told to a model that knows only one at a time.
  if (calls > 1) needs.add("parallel_tools");
}
