import type { ChatRequest } from "../../core/chat.ts";
import type { Detectors } from "../../core/policy.ts";
import { classify, type Classification } from "./classify.ts";
import { promptOf } from "./prompt.ts";

const seen = new WeakMap<ChatRequest, Classification>();

/** What the classifier says of a request's last user turn; worked out once a request. */
function classifyChat(chat: ChatRequest): Classification {
  const known = seen.get(chat);
  if (known !== undefined) return known;
  const said = classify(promptOf(chat));
  seen.set(chat, said);
  return said;
}

/** `content.task` and `content.difficulty` for policies. */
export const smartDetectors: Detectors = {
  "content.task": (chat) => classifyChat(chat).task,
  "content.difficulty": (chat) => classifyChat(chat).difficulty,
};
