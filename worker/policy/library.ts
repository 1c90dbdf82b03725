import type { Isolate } from "../core/isolate.ts";
import type { LinkedPolicy, PolicyText } from "../core/policy.ts";
import { linkBundle } from "./bundle.ts";
import type { LinkedDocument } from "./decide.ts";
import type { Linked } from "./evaluate.ts";

/** Linked documents that an isolate keeps; those longest unused go first. */
const MAX_LINKED = 200;

interface Kept extends LinkedPolicy {
  linked: Linked;
}

/** A document ready to decide, out of the isolate's memory or made now. Its hash means one plan for ever. */
export function linkedDocument(
  isolate: Pick<Isolate, "policies">,
  policy: PolicyText,
): LinkedDocument {
  const { scope, version, hash, text } = policy;
  const known = isolate.policies.get(hash) as Kept | undefined;
  const linked = known?.linked ?? linkBundle(text);
  if (known === undefined) {
    while (isolate.policies.size >= MAX_LINKED) {
      const oldest = isolate.policies.keys().next().value;
      if (oldest === undefined) break;
      isolate.policies.delete(oldest);
    }
    isolate.policies.set(hash, { hash, linked } as Kept);
  }
  return { scope, version, hash, linked };
}
