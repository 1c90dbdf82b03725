import type { ChatRequest } from "../core/chat.ts";

/** Name of the tool that a model without structured outputs is made to call; its input is the answer. */
export const JSON_TOOL = "json_answer";

/** The request with that tool in the place of its response format: the model must call something. */
export function byTool(request: ChatRequest): ChatRequest {
  const { responseFormat: format, ...rest } = request;
  const { tools, toolChoice: choice } = request;
  return {
    ...rest,
    tools: [
      ...tools,
      {
        type: "function",
        name: JSON_TOOL,
        description: "Give the final answer as JSON by calling this tool.",
        parameters: format?.type === "schema" ? format.schema : { type: "object" },
      },
    ],
    toolChoice:
      tools.length > 0 && choice?.type !== "none"
        ? { type: "required" }
        : { type: "function", name: JSON_TOOL },
  };
}
