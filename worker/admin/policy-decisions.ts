import type { AutoDecision } from "../core/auto-router.ts";
import { GatewayError } from "../core/errors.ts";
import type { Authorized, Identity } from "../core/call.ts";
import type { ChatRequest, Part, Tool } from "../core/chat.ts";
import { REGIONS, type RegionLetter } from "../core/ids.ts";
import { isJsonObject, scanJson, type Json, type JsonObject } from "../core/json.ts";
import type { ShownRecord } from "../core/audit.ts";
import type { PolicyPart, SignalsRead, SignalValue, Verdict } from "../core/policy.ts";
import type { OrgShared } from "../core/records.ts";
import { linkBundle } from "../policy/bundle.ts";
import { DEFAULT_CALENDAR } from "../policy/calendar.ts";
import { decide, type LinkedDocument } from "../policy/decide.ts";
import { explainDocument, watched, type ExplainedDocument } from "../policy/explain.ts";
import type { Facts } from "../policy/evaluate.ts";
import { readerOf } from "../policy/reader.ts";
import { recordedFacts, type Recorded } from "../policy/replay.ts";
import { resolve, shortName } from "../providers/resolve.ts";
import { explainSmart, type SmartExplanation } from "../routing/smart/explain.ts";
import { estimateTokens } from "../routing/tokens.ts";
import { worstCaseUsd } from "../routing/worst-case.ts";
import { currentPolicies } from "../store/policy-rows.ts";
import type { AdminContext } from "./context.ts";
import { candidatesOf } from "./policy-candidates.ts";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

/** What routers would make of a request, and what it would be refused with before a model is chosen. */
export interface RouterParts {
  smart?: SmartExplanation;
  auto?: AutoDecision;
  refused?: { code: string; message: string };
}

/** A decision with the way that led to it. */
export interface Explained {
  decision: JsonObject | null;
  signals: Record<string, SignalValue>;
  documents: ExplainedDocument[];
}

/** The region that an organization lives in. */
export function gatewayOf(ctx: AdminContext): string {
  return REGIONS[ctx.orgId[0] as RegionLetter] ?? "global";
}

/** A document of the archive, ready to decide. */
export async function archived(
  ctx: AdminContext,
  part: Pick<PolicyPart, "scope" | "version" | "hash">,
): Promise<LinkedDocument> {
  const text = await ctx.deps.policyArchive.load(ctx.orgId, part.hash);
  if (text === null) {
    throw new GatewayError(
      "control_plane_unavailable",
      "The archive has no such policy bundle now.",
    );
  }
  const { scope, version, hash } = part;
  return { scope, version, hash, linked: linkBundle(text) };
}

/** The documents in force for a team's requests. */
export async function inForce(
  ctx: AdminContext,
  teamId: string | undefined,
): Promise<LinkedDocument[]> {
  const rows = await currentPolicies(ctx.deps.db, ctx.orgId);
  const binding = rows.filter(({ scope }) => scope === "org" || scope === teamId);
  return Promise.all(binding.map((row) => archived(ctx, row)));
}

/** The way of a decision through its documents. */
export function explained(
  documents: readonly LinkedDocument[],
  facts: Facts,
  gateway: string,
): Explained {
  const { facts: seen, read } = watched(facts);
  const verdict = decide(documents, seen, gateway);
  return {
    decision: verdict === null ? null : verdictFields(verdict),
    documents: documents.map((each) => explainDocument(each, seen)),
    signals: read,
  };
}

/** What a verdict says, without its functions. */
function verdictFields(verdict: Verdict): JsonObject {
  const { narrowings: _, signals: __, ...said } = verdict;
  return said as unknown as JsonObject;
}

/** What a record of a decision or refusal keeps of its inputs; null for any other record. */
export function recordedOf(record: ShownRecord): (Recorded & { parts: PolicyPart[] }) | null {
  const { signals, policy } = record;
  if (!isJsonObject(signals) || !Array.isArray(policy)) return null;
  return {
    at: timeOf(record),
    signals: signals as unknown as SignalsRead,
    parts: policy as unknown as PolicyPart[],
  };
}

/** Unix milliseconds of a record. */
export function timeOf({ timestamp }: ShownRecord): number {
  return typeof timestamp === "string" ? Date.parse(timestamp) : 0;
}

/** Explains a recorded decision by the versions that made it. */
export async function explainRecord(
  ctx: AdminContext,
  record: ShownRecord,
): Promise<Explained | null> {
  const recorded = recordedOf(record);
  if (recorded === null) return null;
  const documents = await Promise.all(recorded.parts.map((part) => archived(ctx, part)));
  const calendar = documents[0]?.linked.plan.calendar ?? null;
  return explained(documents, recordedFacts(recorded, calendar), gatewayOf(ctx));
}

/** A request that was not made, as POST /policy/explain takes one. */
export interface AskedRequest {
  model: string;
  messages: Json[];
  tools: Json[];
  metadata: JsonObject;
  headers: Record<string, string>;
  customerId: string | undefined;
  maxTokens: number | undefined;
  /** Signals that take the place of what the request would say. */
  signals: Record<string, SignalValue>;
  at: number;
}

/**
 * Explains a request by the documents in force, without making it, and what the routers would make of it then; the
 * caller stands for itself.
 */
export async function explainRequest(
  ctx: AdminContext,
  identity: Identity,
  asked: AskedRequest,
): Promise<Explained & RouterParts> {
  const { deps } = ctx;
  const { shared } = identity;
  const { principal } = identity;
  const call = callOf(ctx, identity, asked);
  const { chat, extensions, headers } = call;
  const documents = await inForce(ctx, principal.teamId ?? shared.org.defaultTeamId);
  const payer = {
    orgId: principal.orgId,
    teamId: principal.teamId ?? shared.org.defaultTeamId ?? "default",
    ...(principal.userId !== undefined && { userId: principal.userId }),
    ...(principal.keyId !== undefined && { keyId: principal.keyId }),
    ...(asked.customerId !== undefined && { customerId: asked.customerId }),
    group: asked.model,
  };
  const read = readerOf(
    {
      identity,
      chat,
      extensions,
      headers,
      endpoint: "chat",
      detectors: deps.detectors,
      standing: () => deps.account.standing?.(payer),
      tokens: () => estimateTokens(chat),
      estimate() {
        const resolution = resolve(asked.model, {
          shared,
          hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
        });
        return resolution.found ? worstCaseUsd(call, resolution.candidates) : null;
      },
    },
    asked.at,
    documents[0]?.linked.plan.calendar ?? DEFAULT_CALENDAR,
  );
  const facts: Facts = {
    now: asked.at,
    read: (name) => (Object.hasOwn(asked.signals, name) ? asked.signals[name] : read(name)),
  };
  const gateway = gatewayOf(ctx);
  const verdict = decide(documents, facts, gateway);
  const { smart, auto, refused } = deps.previewRouters(deps, {
    ...call,
    ...(verdict && { verdict }),
  });
  const none = noneLeft(ctx, shared, verdict, asked.model);
  return {
    ...explained(documents, facts, gateway),
    ...(smart && { smart: explainSmart(smart) }),
    ...(auto && { auto }),
    ...((refused ?? none) && { refused: refused ?? none }),
  };
}

/** The refusal of a request of which constraints leave nothing that may serve. */
function noneLeft(
  ctx: AdminContext,
  shared: OrgShared,
  verdict: Verdict | null,
  model: string,
): RouterParts["refused"] {
  if (verdict === null || verdict.block !== null) return undefined;
  const name = verdict.route ?? model;
  const why = candidatesOf(ctx, shared)(verdict, name);
  if (why === null) return undefined;
  const message = `No deployment of '${shortName(name)}' may serve this request (${why.slice(0, 5).join("; ")}).`;
  return { code: "policy_no_candidate", message };
}

/** The request as the path would have it after the gate, so far as choosing looks at it. */
function callOf(ctx: AdminContext, identity: Identity, asked: AskedRequest): Authorized {
  const { tags } = asked.metadata;
  const text = JSON.stringify(asked.messages);
  return {
    requestId: ctx.caller.requestId,
    receivedAt: asked.at,
    credential: null,
    address: null,
    endpoint: "chat",
    dialect: "openai-chat",
    fromUrl: {},
    text,
    bytes: text.length,
    scan: scanJson(text),
    body: {},
    chat: chatOf(asked),
    extensions: {
      tags: Array.isArray(tags) ? tags.filter((each) => typeof each === "string") : [],
      metadata: asked.metadata as Record<string, Json>,
      disableFallbacks: false,
      fallbacks: [],
      features: {},
      ...(asked.customerId !== undefined && { customerId: asked.customerId }),
    },
    headers: Object.fromEntries(
      Object.entries(asked.headers).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    deadline: Number.MAX_SAFE_INTEGER,
    identity,
    model: asked.model,
  };
}

/** As much of a chat as signals and routers look at. */
function chatOf({ model, messages, tools, maxTokens }: AskedRequest): ChatRequest {
  return {
    model,
    messages: messages.filter(isJsonObject).map((message) => ({
      role: ROLES.find((role) => role === message["role"]) ?? "assistant",
      parts: partsOf(message["content"]),
    })),
    stream: false,
    streamUsage: false,
    sampling: maxTokens === undefined ? {} : { maxOutputTokens: maxTokens },
    tools: tools.filter(isJsonObject).map((tool): Tool => {
      const named = isJsonObject(tool["function"]) ? tool["function"]["name"] : tool["name"];
      return (tool["type"] ?? "function") === "function" && typeof named === "string"
        ? { type: "function", name: named }
        : { type: "native", dialect: "openai-chat", value: tool };
    }),
    extra: {},
    dialect: "openai-chat",
  };
}

function partsOf(content: Json | undefined): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) return [];
  return content.filter(isJsonObject).flatMap((part): Part[] => {
    const { type, text } = part;
    if (typeof text === "string") return [{ type: "text", text }];
    const kind = typeof type === "string" ? type : "";
    const source = { type: "id" as const, id: "" };
    if (kind.startsWith("image")) return [{ type: "image", source }];
    if (kind.includes("audio")) return [{ type: "audio", data: "", format: "" }];
    if (kind.includes("file") || kind === "document") return [{ type: "file", source }];
    return [{ type: "native", dialect: "openai-chat", value: part }];
  });
}
