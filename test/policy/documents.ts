import { compile, type Compiled } from "../../worker/policy/compile.ts";
import { decide } from "../../worker/policy/decide.ts";
import { readYaml } from "../../worker/policy/yaml.ts";
import { link } from "../../worker/policy/evaluate.ts";
import type { Fault } from "../../worker/policy/faults.ts";
import { OFFLINE, type Known } from "../../worker/policy/known.ts";
import type { SignalValue, Verdict } from "../../worker/core/policy.ts";

/** Compiles a text as a publication would. */
export function compiled(text: string, known: Partial<Known> = {}): Compiled & { faults: Fault[] } {
  const [source] = readYaml("policy.yaml", text);
  if (source === undefined) throw new Error("There is no document.");
  return { ...compile(source, { ...OFFLINE, ...known }), faults: source.faults };
}

/** What a text decides about signals; what is not given is absent, what is undefined unknown. */
export function decided(
  text: string,
  given: Record<string, SignalValue | undefined>,
  now = Date.UTC(2026, 0, 14, 12),
): Verdict {
  const { plan, faults } = compiled(text);
  if (plan === null)
    throw new Error(faults.map((each) => `${each.line}: ${each.message}`).join("\n"));
  const read = (name: string) => (Object.hasOwn(given, name) ? given[name] : null);
  const documents = [{ scope: "org", version: 1, hash: "h", linked: link(plan) }];
  const verdict = decide(documents, { read, now }, "global");
  if (verdict === null) throw new Error("There is no verdict.");
  return verdict;
}
