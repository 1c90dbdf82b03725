import * as z from "zod";
import { parseObject, readText } from "../core/body.ts";
import type { Authenticated, Credentialed } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { learningSettings } from "../core/learning.ts";
import type { Deps } from "../core/ports.ts";
import type { OrgShared } from "../core/records.ts";
import { resolve } from "../providers/resolve.ts";
import { dialNamed } from "../routing/smart/dial.ts";

const MOST_BYTES = 16_384;

const FORM = z.object({
  call_id: z.string().min(1).max(128),
  thumb: z.enum(["up", "down"]).nullish(),
  score: z.number().min(0).max(1).nullish(),
  chosen_model: z.string().min(1).max(256).nullish(),
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
  const { call_id, thumb, score, chosen_model } = await read(request);
  const { principal, shared } = identity;
  const said = score ?? (thumb == null ? null : thumb === "up" ? 1 : 0);
  if (said === null && chosen_model == null) {
    throw new GatewayError(
      "invalid_request",
      "thumb: say up or down, a score from 0 to 1, or the chosen_model that answers better.",
      { param: "thumb" },
    );
  }
  if (thumb != null && score != null && (thumb === "up") !== score >= 0.5) {
    throw new GatewayError(
      "invalid_request",
      "score: it says the opposite of the thumb; send one of them.",
      { param: "score" },
    );
  }
  if (chosen_model != null && !isModel(deps, shared, chosen_model)) {
    throw new GatewayError(
      "invalid_request",
      "chosen_model: the organization has no model group or model of this name.",
      { param: "chosen_model" },
    );
  }
  if (learningSettings(shared.org.metadata) === null) return { call_id, status: "off" };
  const { keyId = null, teamId = null, kind, role, orgId } = principal;
  const any = kind === "master" || role === "admin" || role === "platform_admin";
  const judged = await deps.learning.judge(orgId, {
    callId: call_id,
    reward: said,
    ...(chosen_model != null && { chosen: chosen_model }),
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

/** True for what the organization can route to; anything else would only fill its memory. */
function isModel(deps: Deps, shared: OrgShared, name: string): boolean {
  if (dialNamed(name) !== null) return false;
  const hasPlatformKey = (provider: string) => deps.platformKey(provider) !== null;
  return resolve(name, { shared, hasPlatformKey }).found;
}

async function read(request: Request): Promise<z.output<typeof FORM>> {
  const { text } = await readText(request, MOST_BYTES);
  const parsed = FORM.safeParse(parseObject(text).body);
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
