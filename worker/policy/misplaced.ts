import { ACTION_KEYS } from "./action.ts";
import { signalNamed } from "./operands.ts";

const OF_RULES: readonly string[] = ["id", "enabled", "when", "on_unknown", ...ACTION_KEYS];
const OF_CONSTRAINTS: readonly string[] = ["require", "forbid"];

/** What a name was meant as that has its place elsewhere, mostly by a wrong indentation; undefined for one that has none. */
export function misplacedAtTop(name: string): string | undefined {
  if (OF_RULES.includes(name)) return ": it belongs to a rule, further to the right";
  return OF_CONSTRAINTS.includes(name) ? ": it belongs to an entry of 'constraints'" : merged(name);
}

export function misplacedInRule(name: string): string | undefined {
  if (OF_CONSTRAINTS.includes(name)) return ": it belongs to an entry of 'constraints'";
  return condition(name) ?? merged(name);
}

export function misplacedInConstraint(name: string): string | undefined {
  if (OF_RULES.includes(name)) return ": it belongs to an entry of 'rules'";
  return condition(name) ?? merged(name);
}

/** Of a name among conditions. */
export function misplacedInWhen(name: string): string | undefined {
  if (!OF_RULES.includes(name)) return undefined;
  return `'${name}' is no condition: it stands beside 'when', further to the left`;
}

function condition(name: string): string | undefined {
  if (!name.includes(".") || "fault" in signalNamed(name)) return undefined;
  return ": a condition stands under 'when', further to the right";
}

function merged(name: string): string | undefined {
  return name === "<<" ? ": merge keys are not read, write the members out" : undefined;
}
