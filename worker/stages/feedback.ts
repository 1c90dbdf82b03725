import * as z from "zod";
import type { Authenticated, Credentialed } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { learningSettings } from "../core/learning.ts";
import type { Deps } from "../core/ports.ts";

const MOST_BYTES = 16_384;

const FORM = z.object({
  call_id: z.string().min(1).max(128),
  thumb: z.enum(["up", "down"]).nullish(),
  score: z.number().min(0).max(1).nullish(),
  comment: z.string().max(8192).nullish(),
});

export interface FeedbackAnswer {
  call_id: string;
  /** `known`: this call was judged before, the first judgement counts. `off`: the organization does not learn. */
  status: "learned" | "known" | "off";
}

/** Hands a judgement to the organization's learning. A call that the judge may not see answers as one that is not there. */
export async function feedback(
  deps: Deps,
  { identity }: Authenticated<Credentialed>,
  request: Request,
): Promise<FeedbackAnswer> {
  const { call_id, thumb, score } = read(await request.text());
  const reward = score ?? (thumb == null ? null : thumb === "up" ? 1 : 0);
  if (reward === null) {
    throw new GatewayError("invalid_request", "thumb: say up or down, or a score from 0 to 1.", {
      param: "thumb",
    });
  }
  const { principal, shared } = identity;
  if (learningSettings(shared.org.metadata) === null) return { call_id, status: "off" };
  const { keyId = null, teamId = null, kind, role, orgId } = principal;
  const any = kind === "master" || role === "admin" || role === "platform_admin";
  const judged = await deps.learning.judge(orgId, {
    callId: call_id,
    reward,
    by: { keyId, teamId, any },
  });
  if (judged === "absent") {
    throw new GatewayError(
      "not_found",
      "call_id: there is no such call of yours that the smart router answered in the last week.",
      { param: "call_id" },
    );
  }
  return { call_id, status: judged };
}

function read(text: string): z.output<typeof FORM> {
  let value: unknown;
  if (text.length > MOST_BYTES) {
    throw new GatewayError("request_too_large", "Feedback holds at most 16 KB.");
  }
  try {
    value = JSON.parse(text);
  } catch {
    throw new GatewayError("invalid_request", "The body is not JSON.");
  }
  const parsed = FORM.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = issue?.path.join(".") ?? "";
  throw new GatewayError(
    "invalid_request",
    `${param === "" ? "The body" : param}: ${issue?.message ?? "is not right"}.`,
    {
      ...(param !== "" && { param }),
    },
  );
}
