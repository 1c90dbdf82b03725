import type { Authorized } from "../core/call.ts";
import type { Deps } from "../core/ports.ts";
import type { SignalSources } from "../policy/reader.ts";
import { resolve } from "../providers/resolve.ts";
import { estimateTokens } from "../routing/tokens.ts";
import { worstCaseUsd } from "../routing/worst-case.ts";
import { payerOf } from "./payer.ts";

/** Where the signals of a request come from; nothing is computed before a policy asks for it. */
export function sourcesOf(deps: Deps, call: Authorized): SignalSources {
  const { identity, chat, extensions, headers, endpoint, country } = call;
  return {
    identity,
    chat,
    extensions,
    headers,
    endpoint,
    country,
    detectors: deps.detectors,
    standing: () => deps.account.standing?.(payerOf(call)),
    tokens: () => estimateTokens(chat),
    estimate: () => estimatedUsd(deps, call),
  };
}

/** The worst case of the model as requested; null where it resolves to nothing or has no known price. */
function estimatedUsd(deps: Deps, call: Authorized): number | null {
  const resolution = resolve(call.model, {
    shared: call.identity.shared,
    hasPlatformKey: (provider) => deps.platformKey(provider) !== null,
  });
  return resolution.found ? worstCaseUsd(call, resolution.candidates) : null;
}
