import type { ChatRequest, ToolChoice } from "../core/chat.ts";
import { objectIn, objectsIn, textOf } from "./answers.ts";

/**
 * The request without the tools that its choice excludes, for targets that have no such choice: OpenAI's `allowed_tools`,
 * Google's several `allowedFunctionNames`.
 */
export function narrowed(chat: ChatRequest): ChatRequest {
  const allowed = allowedBy(chat.toolChoice);
  if (allowed === null) return chat;
  const tools = chat.tools.filter(
    (tool) => tool.type === "function" && allowed.names.has(tool.name),
  );
  return tools.length < allowed.names.size ? chat : { ...chat, tools, toolChoice: allowed.choice };
}

function allowedBy(
  choice: ToolChoice | undefined,
): { names: ReadonlySet<string>; choice: ToolChoice } | null {
  if (choice?.type !== "native") return null;
  const value = objectIn(choice.value) ?? {};
  if (choice.dialect === "gemini") {
    const { mode, allowedFunctionNames: names } = value;
    if (mode !== "ANY" || !Array.isArray(names)) return null;
    return { names: new Set(names.map(String)), choice: { type: "required" } };
  }
  if (value["type"] !== "allowed_tools") return null;
  const from = objectIn(value["allowed_tools"]) ?? value;
  const names = objectsIn(from["tools"]).map((tool) => {
    const named = objectIn(tool["function"]) ?? objectIn(tool["custom"]) ?? tool;
    return textOf(named["name"]) ?? "";
  });
  return {
    names: new Set(names),
    choice: { type: from["mode"] === "required" ? "required" : "auto" },
  };
}
