import type { Chosen } from "../core/call.ts";
import type { ChatRequest, DialectName, Part, ProtocolName } from "../core/chat.ts";
import type { Isolate } from "../core/isolate.ts";
import { scanJson, spliceJson, type JsonObject } from "../core/json.ts";
import type { Deployment } from "../core/model.ts";
import type { Deps, UpstreamRequest } from "../core/ports.ts";
import { narrowed } from "../protocols/allowed.ts";
import { sealFor } from "../protocols/carried.ts";
import { acceptOf, type Framing } from "../protocols/framing.ts";
import { isFreeform } from "../protocols/freeform.ts";
import { protocolOf } from "../protocols/index.ts";
import type { Destination, Protocol, Target } from "../protocols/protocol.ts";
import { unsupported } from "../protocols/unsupported.ts";
import {
  findProvider,
  paramsFor,
  type ProviderAuth,
  type ProviderRow,
} from "../providers/catalog.ts";
import {
  filledPath,
  hostedBody,
  hostedPath,
  hostingAt,
  type Hosting,
} from "../providers/hosting.ts";
import { secretSource } from "../providers/secret.ts";
import { SigningFault } from "../providers/signing/fault.ts";
import { signatureOf, type Unsigned } from "../providers/signing/index.ts";
import { ownCacheKey } from "../routing/affinity.ts";
import { hash } from "../routing/random.ts";
import { credentialOf } from "../routing/walk.ts";
import { AttemptFault } from "./attempt.ts";
import { forAccount, noteMaker } from "./maker.ts";
import { renamed, type Renamed } from "./tool-names.ts";

/** One request to one deployment, signed and ready to be sent. */
export interface Prepared {
  deployment: Deployment;
  protocol: Protocol;
  request: Omit<UpstreamRequest, "signal">;
  /** How the answer comes if it is a stream. */
  framing: Framing;
  /** Caller and provider speak the same protocol and nothing was rewritten (PROTOCOLS 1). */
  verbatim: boolean;
  injectedUsage: boolean;
  degraded: string[];
  /** Puts a part of its answer right: its tool gets the caller's name, and what one account alone can read is marked. */
  seal: (part: Part) => void;
  /** What it was made of, if not of the caller's own request. */
  rewritten?: Rewritten;
}

/** A request that the gateway made of the caller's: what is missing of an answer, say. */
export interface Rewritten {
  chat: ChatRequest;
  /** Where it has to go, if not to the deployment's own base. */
  baseUrl?: string;
}

/**
 * Writes and signs the request for a deployment: unchanged where both ends speak one protocol, else through the hub.
 * What was `rewritten` always goes through the hub.
 */
export async function prepare(
  deps: Deps,
  call: Chosen,
  deployment: Deployment,
  rewritten?: Rewritten,
): Promise<Prepared> {
  const { stream } = call.chat;
  const { model } = deployment;
  const baseUrl = rewritten?.baseUrl ?? deployment.baseUrl;
  const row = findProvider(deployment.provider);
  const { protocol, hosting } = spoken(call, deployment, row);
  const { provider } = protocol;
  const params = paramsFor(row, deployment.params);
  const to: Destination = { baseUrl, model, stream };
  if (stream && call.fromUrl.array && call.dialect === protocol.name) to.array = true;
  const framing = hosting?.framing ?? provider.framing(to);
  const { text, before, ...written } = writtenFor(
    deps.isolate,
    call,
    deployment,
    protocol,
    rewritten,
  );
  const body = hosting ? hostedBody(hosting, text) : text;
  const url = baseUrl + (hosting ? hostedPath(hosting, to, params) : provider.path(to));
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: stream ? acceptOf(framing) : "application/json",
    "user-agent": "routero",
    ...provider.headers,
    ...(call.dialect === deployment.protocol && passed(provider.passHeaders, call.headers)),
  };
  const unsigned = { url, method: "POST", headers, body } as const;
  const secret = await secretOf(deps, call, deployment);
  const signature = await proofFor(deps, row?.auth, { secret, unsigned, params });
  return {
    deployment,
    protocol,
    framing,
    ...written,
    seal(part) {
      if (part.type === "toolCall") {
        part.name = before?.get(part.name) ?? part.name;
        if (isFreeform(part.name, call.chat.tools)) part.freeform = true;
      }
      sealFor(part, accountOf(deployment));
      noteMaker(deps.isolate, part, accountOf(deployment));
    },
    ...(rewritten !== undefined && { rewritten }),
    request: { ...unsigned, headers: { ...headers, ...signature } },
  };
}

/** Whether a deployment counts tokens for callers of a dialect: it speaks it, where its maker serves it or a cloud counts. */
export function countsFor(dialect: DialectName, deployment: Deployment): boolean {
  const { protocol, baseUrl, provider } = deployment;
  const hosting = hostingAt(findProvider(provider)?.hosting, baseUrl);
  if (protocol !== dialect) return false;
  if (hosting !== undefined) return hosting.count !== undefined;
  return protocolOf(protocol).provider.countPath !== undefined;
}

/** The free call that has a request's tokens counted by a deployment that `countsFor` its dialect, signed. */
export async function prepareCount(
  deps: Deps,
  call: Chosen,
  deployment: Deployment,
): Promise<Pick<Prepared, "protocol" | "request">> {
  const { model, baseUrl } = deployment;
  const row = findProvider(deployment.provider);
  const protocol = protocolOf(deployment.protocol);
  const { provider } = protocol;
  const { text } = writtenFor(deps.isolate, call, deployment, protocol, undefined);
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    "user-agent": "routero",
    ...provider.headers,
    ...passed(provider.passHeaders, call.headers),
  };
  const params = paramsFor(row, deployment.params);
  const hosted = hostingAt(row?.hosting, baseUrl)?.count;
  const path =
    hosted === undefined
      ? provider.countPath?.({ baseUrl, model, stream: false })
      : filledPath(hosted, { baseUrl, model }, params);
  const url = baseUrl + (path ?? "");
  const unsigned = { url, method: "POST", headers, body: withInner(text, model) } as const;
  const secret = await secretOf(deps, call, deployment);
  const proof = await proofFor(deps, row?.auth, { secret, unsigned, params });
  return { protocol, request: { ...unsigned, headers: { ...headers, ...proof } } };
}

/** Google's count of a whole request, which names the model once more inside. */
function withInner(text: string, model: string): string {
  const { members } = scanJson(text);
  const place = members.findLast(({ name }) => /^generate_?content_?request$/i.test(name));
  if (place === undefined) return text;
  const inner = text.slice(place.valueStart, place.valueEnd);
  const set = { model: JSON.stringify(`models/${model}`) };
  const renamed = spliceJson(inner, scanJson(inner).members, set, new Set());
  return spliceJson(text, members, { [place.name]: renamed }, new Set());
}

/** Whether the request can be said in what is spoken to a deployment; nothing is sent. */
export function expresses(call: Chosen, deployment: Deployment): boolean {
  const { protocol } = spoken(call, deployment, findProvider(deployment.provider));
  try {
    writtenFor({ stateMakers: new Map() }, call, deployment, protocol, undefined);
    return true;
  } catch {
    return false;
  }
}

/** What is spoken to a deployment, and where: the caller's own dialect if the provider serves that there too. */
function spoken(
  call: Chosen,
  deployment: Deployment,
  row: ProviderRow | undefined,
): { protocol: Protocol; hosting: Hosting | undefined } {
  const also = row?.also?.[call.dialect];
  if (also !== undefined && call.dialect !== deployment.protocol) {
    const hosting = also === "same" ? undefined : hostingAt(also, deployment.baseUrl);
    return { protocol: protocolOf(call.dialect), hosting };
  }
  const other = row?.also?.[deployment.protocol];
  const own = row?.protocol === deployment.protocol ? row.hosting : other;
  const hosting = own === "same" ? undefined : hostingAt(own, deployment.baseUrl);
  return { protocol: protocolOf(deployment.protocol), hosting };
}

/** The request's body in the protocol that is spoken to the deployment. */
function writtenFor(
  isolate: Pick<Isolate, "stateMakers">,
  call: Chosen,
  deployment: Deployment,
  { name, provider }: Protocol,
  rewritten: Rewritten | undefined,
): { text: string; before?: Renamed["before"] } & Pick<
  Prepared,
  "verbatim" | "injectedUsage" | "degraded"
> {
  const { streamUsage = "include_usage", refuses } = findProvider(deployment.provider) ?? {};
  const target: Target = {
    model: deployment.model,
    facts: deployment.facts,
    account: accountOf(deployment),
    streamUsage,
    ...(refuses && { refuses }),
    ...(call.outputLimit !== undefined && { outputLimit: call.outputLimit }),
  };
  // What a budget made shorter is told like everything else that could not be had.
  const shortened = call.outputLimit === undefined ? [] : ["max_tokens"];
  if (rewritten === undefined && call.dialect === name && provider.verbatim) {
    const account = accountOf(deployment);
    const sent =
      name === "openai-responses" && call.text.includes("encrypted_content")
        ? forAccount(call, account, isolate, accountsOf(call, name))
        : { ...call, lost: false };
    const spliced = provider.verbatim.request(sent.text, sent.scan, sent.body, target);
    const { lost, ...written } = spliced;
    const degraded = [...shortened, ...(sent.lost ? ["thinking"] : []), ...lost];
    return { ...written, verbatim: true, degraded: [...new Set(degraded)] };
  }
  const [bound] = call.chat.bound ?? [];
  if (bound !== undefined && call.dialect !== name) {
    throw unsupported(
      `\`${bound}\` names what is kept at a provider of its own dialect (send it whole instead, as clients do with \`store: false\`) and`,
      bound,
    );
  }
  const whole = rewritten?.chat ?? call.chat;
  const asked = call.dialect === name ? whole : narrowed(whole);
  const other = provider.toolNames ? renamed(asked, provider.toolNames) : null;
  const built = provider.buildRequest(other?.chat ?? asked, target);
  const kept = call.dialect === name ? {} : cacheKeyFor(call, deployment);
  const degraded = built.degraded.filter((each) => !Object.hasOwn(kept, each));
  return {
    ...(other && { before: other.before }),
    text: JSON.stringify({ ...built.body, ...kept }),
    verbatim: false,
    injectedUsage: false,
    degraded: [...new Set([...shortened, ...degraded, ...lostHeaders(call, deployment)])],
  };
}

/**
 * What ties a conversation to its deployment, in the provider's own member for it: its cache is met there too (PROTOCOLS
 * 26). The caller's own key as it is, else a digest that names nobody. Requests that pass unchanged get none.
 */
function cacheKeyFor({ chat, explanation }: Chosen, deployment: Deployment): JsonObject {
  const member = findProvider(deployment.provider)?.cacheKey;
  if (member === undefined || deployment.facts.quirks?.refuses?.includes(member)) return {};
  const key = ownCacheKey(chat) ?? explanation.affinity?.toString(16).padStart(8, "0");
  return key === undefined ? {} : { [member]: key };
}

/**
 * The accounts that could have made what a conversation brings back in a protocol: those of the groups that it may go to,
 * and of all where a router chooses the group anew for each request.
 */
function accountsOf(call: Chosen, name: ProtocolName): Set<string> {
  const { plan, explanation, identity } = call;
  const routed = explanation.smart !== undefined || explanation.auto !== undefined;
  const groups = new Set([call.model, ...plan.map(({ group }) => group)]);
  const possible = [
    ...plan.map(({ deployment }) => deployment),
    ...identity.shared.deployments.filter(({ group }) => routed || groups.has(group)),
  ];
  const speaks = (each: Deployment) =>
    spoken(call, each, findProvider(each.provider)).protocol.name === name;
  return new Set(possible.filter(speaks).map(accountOf));
}

/** Tells accounts apart without naming a credential: callers see it in the state that they carry (decision 012). */
function accountOf(deployment: Deployment): string {
  return hash(credentialOf(deployment)).toString(16).padStart(14, "0");
}

/** The headers that prove who asks; a secret that is no good is the deployment's fault. */
async function proofFor(
  deps: Deps,
  auth: ProviderAuth = "bearer",
  {
    secret,
    unsigned,
    params,
  }: { secret: string | null; unsigned: Unsigned; params: Record<string, string> },
): Promise<Record<string, string>> {
  try {
    return await signatureOf(auth, secret, unsigned, params, deps);
  } catch (cause) {
    if (!(cause instanceof SigningFault)) throw cause;
    const { status, message } = cause;
    throw new AttemptFault({ class: status === 401 ? "deployment" : "transient", status, message });
  }
}

/** Headers that mean something to the caller's own protocol alone; its version is met by speaking it (PROTOCOLS 25). */
function lostHeaders(call: Chosen, deployment: Deployment): string[] {
  if (call.dialect === deployment.protocol) return [];
  const { passHeaders } = protocolOf(call.dialect).provider;
  return passHeaders.filter((name) => !name.endsWith("-version") && name in call.headers);
}

function passed(names: readonly string[], headers: Record<string, string>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) out[name] = value;
  }
  return out;
}

async function secretOf(deps: Deps, call: Chosen, deployment: Deployment): Promise<string | null> {
  const { shared, principal } = call.identity;
  const source = secretSource(shared, deployment);
  switch (source.kind) {
    case "gone":
      throw new AttemptFault({
        class: "deployment",
        status: 401,
        message: "The deployment's credential is gone or belongs to another host.",
      });
    case "stored":
      return deps.vault.open(principal.orgId, source.credential);
    case "platform":
      return deps.platformKey(source.provider);
    case "none":
      return null;
  }
}
