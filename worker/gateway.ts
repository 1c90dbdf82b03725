import { asGatewayError, GatewayError } from "./core/errors.ts";
import type { Authenticated, Credentialed, FromUrl } from "./core/call.ts";
import type { DialectName } from "./core/chat.ts";
import { greet } from "./core/greet.ts";
import type { Deps } from "./core/ports.ts";
import { accept, keysStayOutOfUrls } from "./stages/accept.ts";
import { tellAlerts } from "./stages/alerts.ts";
import { authenticate } from "./stages/authenticate.ts";
import { authorize, mayCall } from "./stages/authorize.ts";
import { refuseBlocked } from "./stages/policy.ts";
import { callableModels, choose } from "./stages/choose.ts";
import { count } from "./stages/count.ts";
import { refuseElsewhere } from "./stages/elsewhere.ts";
import { feedback } from "./stages/feedback.ts";
import { dispatch } from "./stages/dispatch.ts";
import { noProgress } from "./stages/progress.ts";
import type { Reached } from "./stages/report.ts";
import { abandon, answerFree, openHeaders, refuse, respond } from "./stages/respond.ts";
import { recordMeanwhile } from "./stages/trail.ts";

/**
 * The path of a request. Every stage takes what the one before it proved and adds to it; the value's type says how far
 * it has come. A refusal is thrown from wherever it is decided and leaves through the same door as an answer, which
 * settles the money and writes the trail.
 */
export async function gateway(
  deps: Deps,
  request: Request,
  dialect: DialectName,
  fromUrl: FromUrl = {},
): Promise<Response> {
  const progress = noProgress();
  let reached: Reached = greet(deps, request);
  try {
    keysStayOutOfUrls(request);
    const known = await authenticate(deps, reached);
    reached = known;
    const received = await accept(deps, known, request, dialect, fromUrl);
    reached = received;
    const authorized = authorize(deps, received);
    reached = authorized;
    tellAlerts(deps, authorized);
    refuseBlocked(authorized);
    refuseElsewhere(authorized);
    const chosen = await choose(deps, authorized);
    reached = chosen;
    // The decision is recorded while the provider already works, and is durable before its first byte leaves.
    const decision = recordMeanwhile(deps, chosen);
    const answered = await dispatch(decision.deps, chosen, progress);
    const durable = await Promise.all([decision.recording, ...progress.recordings]);
    if (durable.includes(false)) {
      await abandon(answered);
      throw new GatewayError(
        "audit_unavailable",
        "The decision about this request could not be recorded, so its answer is withheld; try again.",
      );
    }
    return respond(deps, answered, request.signal);
  } catch (cause) {
    return refuse(deps, reached, dialect, progress, asGatewayError(cause));
  }
}

/** Counts of tokens, in the dialects that have them: authenticated, permitted and routed like a call, for nothing. */
export async function countTokens(
  deps: Deps,
  request: Request,
  dialect: DialectName,
  fromUrl: FromUrl = {},
): Promise<Response> {
  const progress = noProgress();
  let reached: Reached = greet(deps, request);
  try {
    keysStayOutOfUrls(request);
    const known = await authenticate(deps, reached);
    reached = known;
    const received = await accept(deps, known, request, dialect, { ...fromUrl, count: true });
    reached = received;
    const authorized = authorize(deps, received);
    reached = authorized;
    refuseBlocked(authorized);
    refuseElsewhere(authorized);
    const { call, body } = await count(deps, authorized, progress);
    return answerFree(deps, call, progress, body);
  } catch (cause) {
    return refuse(deps, reached, dialect, progress, asGatewayError(cause));
  }
}

/** What a dialect has elsewhere and the gateway has not: told to those who may call at all. */
export function refuseUnserved(
  deps: Deps,
  request: Request,
  dialect: DialectName,
  why: string,
): Promise<Response> {
  return forCallers(deps, request, dialect, () => {
    throw new GatewayError("unsupported_endpoint", why);
  });
}

/** GET /v1/models and /v1/models/{id}: what this identity may call, and nothing else. */
export function listModels(deps: Deps, request: Request, id: string | null): Promise<Response> {
  return forCallers(deps, request, "openai-chat", (known) => {
    const models = callableModels(deps, known).map((each) => ({
      id: each.id,
      object: "model",
      created: 0,
      owned_by: each.provider,
    }));
    const headers = openHeaders(deps, known);
    if (id === null) return Response.json({ object: "list", data: models }, { headers });
    const one = models.find((each) => each.id === id);
    if (one !== undefined) return Response.json(one, { headers });
    throw new GatewayError("model_not_found", "There is no such model for this key.", {
      param: "model",
    });
  });
}

/** POST /v1/feedback: a judgement of an answer, for an organization whose smart router learns. */
export function takeFeedback(deps: Deps, request: Request): Promise<Response> {
  return forCallers(deps, request, "openai-chat", async (known) => {
    const answer = await feedback(deps, known, request);
    return Response.json(answer, { headers: openHeaders(deps, known) });
  });
}

/** What asks no model, for whoever may call one: authenticated and permitted like a call, refused by the same door. */
async function forCallers(
  deps: Deps,
  request: Request,
  dialect: DialectName,
  answer: (known: Authenticated<Credentialed>) => Response | Promise<Response>,
): Promise<Response> {
  let reached: Reached = greet(deps, request);
  try {
    keysStayOutOfUrls(request);
    const known = await authenticate(deps, reached);
    reached = known;
    mayCall(deps, known);
    return await answer(known);
  } catch (cause) {
    return refuse(deps, reached, dialect, noProgress(), asGatewayError(cause));
  }
}

/** What no endpoint takes leaves through the same door: with an id, a line in the log, and the endpoint's dialect. */
export function refuseOutside(
  deps: Deps,
  request: Request,
  dialect: DialectName,
  error: GatewayError,
): Promise<Response> {
  return refuse(deps, greet(deps, request), dialect, noProgress(), error);
}
