import type { ChatRequest, Tool } from "../../core/chat.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import { budgetOf } from "../effort.ts";
import type { BuiltRequest, Target } from "../protocol.ts";
import { dropRefused } from "../losses.ts";
import { tellLost } from "../marks.ts";
import { isLost } from "../spellings.ts";
import { refuseStops, unsupported, unsupportedTool } from "../unsupported.ts";
import { buildMessages } from "./build-messages.ts";

/** Writes a chat request of Cohere's second version. */
export function buildRequest(request: ChatRequest, target: Target): BuiltRequest {
  const degraded = new Set<string>();
  const body: JsonObject = {
    model: target.model,
    messages: buildMessages(request.messages, degraded),
    stream: request.stream,
  };
  for (const name of Object.keys(request.extra)) {
    if (isLost(name, request.extra[name])) degraded.add(name);
  }
  tellLost(
    request,
    ["name", "cache_control", "citations", "filename", "strict", "grammar", "thought_signature"],
    degraded,
  );
  writeTools(body, request);
  if (request.parallelToolCalls === false && request.tools.length > 0) {
    degraded.add("parallel_tool_calls");
  }
  if (request.user !== undefined) degraded.add("user");
  writeSampling(body, request, degraded);
  const { responseFormat: format } = request;
  if (format !== undefined && format.type !== "text") {
    body["response_format"] = {
      type: "json_object",
      ...(format.type === "schema" && { json_schema: format.schema }),
    };
  }
  writeThinking(body, request, target, degraded);
  dropRefused(body, target, degraded);
  return { body, degraded: [...degraded] };
}

/** A tool that must be called is the only one that is offered, since a choice can't name it. */
function writeTools(body: JsonObject, { tools, toolChoice: choice }: ChatRequest): void {
  if (tools.length === 0) return;
  if (choice?.type === "native") throw unsupported("This form of `tool_choice`", "tool_choice");
  const offered = tools.map(buildTool).filter(({ name }) => {
    return choice?.type !== "function" || name === choice.name;
  });
  body["tools"] = offered.map(({ tool }) => tool);
  if (choice?.type === "none") body["tool_choice"] = "NONE";
  if (choice?.type === "required" || choice?.type === "function") body["tool_choice"] = "REQUIRED";
}

function buildTool(tool: Tool): { name: string; tool: JsonObject } {
  if (tool.type === "native") {
    throw unsupportedTool(tool.value);
  }
  const { name, description, parameters } = tool;
  return {
    name,
    tool: {
      type: "function",
      function: {
        name,
        ...(description !== undefined && { description }),
        parameters: parameters ?? { type: "object", properties: {} },
      },
    },
  };
}

const MOST_STOPS = 5;

function writeSampling(body: JsonObject, { sampling }: ChatRequest, degraded: Set<string>): void {
  if (sampling.n !== undefined && sampling.n > 1) throw unsupported("`n` above 1", "n");
  refuseStops(sampling, MOST_STOPS);
  const named: [string, Json | undefined][] = [
    ["max_tokens", sampling.maxOutputTokens],
    ["temperature", sampling.temperature],
    ["p", sampling.topP],
    ["k", sampling.topK],
    ["stop_sequences", sampling.stop],
    ["seed", sampling.seed],
    ["presence_penalty", sampling.presencePenalty],
    ["frequency_penalty", sampling.frequencyPenalty],
    ["logprobs", sampling.logprobs],
  ];
  for (const [name, value] of named) if (value !== undefined) body[name] = value;
  if (sampling.logitBias !== undefined) degraded.add("logit_bias");
  if (sampling.topLogprobs) degraded.add("top_logprobs");
}

function writeThinking(
  body: JsonObject,
  { reasoning }: ChatRequest,
  { facts }: Target,
  degraded: Set<string>,
): void {
  if (!reasoning) return;
  const off = reasoning.effort === "none";
  if (facts.reasoning === "none") {
    if (!off) degraded.add("reasoning_effort");
    return;
  }
  const budget = budgetOf(reasoning);
  body["thinking"] = off
    ? { type: "disabled" }
    : { type: "enabled", ...(budget !== undefined && { token_budget: budget }) };
}
