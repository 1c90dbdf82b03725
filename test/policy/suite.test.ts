import { expect, test } from "vitest";
import { checkDocument } from "../../worker/policy/checked.ts";
import { OFFLINE } from "../../worker/policy/known.ts";

const POLICY = `rules:
  - { id: eu, when: { identity.region: eu }, route: a }
  - { id: paid, when: { identity.groups: paid, content.input_tokens: { gt: 100 } }, route: b }
  - { id: pii, when: { content.pii_detected: true }, block: true }
`;

/** Faults of one case, as line and code; nothing where it passes. */
function faultsOf(theCase: string): string[] {
  const tests = `cases:\n  - name: it\n${theCase.replaceAll(/^/gm, "    ")}\n`;
  const { faults } = checkDocument(OFFLINE, POLICY, tests);
  return faults.map(({ line, code, message }) => `${line} ${code}: ${message}`);
}

test.each([
  // Read as the gateway reads them: in its case, and one text as a list of one.
  "given: { identity.region: EU }\nexpect: { rule: eu }",
  "given: { identity.groups: paid, content.input_tokens: 101 }\nexpect: { rule: paid, route: b }",
  "given: { identity: { groups: [paid] } }\nexpect: { rule: none, route: none, blocked: false }",
  "unknown: [content.pii_detected]\nexpect: { rule: pii, blocked: true }",
])("a case is judged as a request: %j", (theCase) => {
  expect(faultsOf(theCase)).toEqual([]);
});

test.each([
  [
    'given: { content.input_tokens: "101" }\nexpect: { rule: paid }',
    "3 type_error: content.input_tokens is a number",
  ],
  [
    "given: { identity.role: admn }\nexpect: { rule: none }",
    "3 type_error: identity.role is never 'admn'; did you mean 'admin'?",
  ],
  [
    "given: { budget.remaining_pct: 120 }\nexpect: { rule: none }",
    "3 type_error: budget.remaining_pct is never 120",
  ],
  [
    "given: { identity.regoin: eu }\nexpect: { rule: none }",
    "3 unknown_signal: there is no signal 'identity.regoin'",
  ],
  [
    "unknown: [content.pii]\nexpect: { rule: none }",
    "3 unknown_signal: there is no signal 'content.pii'",
  ],
  ["given: { identity.region: eu }\nexpect: {}", "4 missing_key: a case that expects nothing"],
  [
    "given: { identity.region: eu }\nexpect: { rule: ue }",
    "4 unknown_rule: the policy has no rule",
  ],
  [
    "given: { identity.region: eu }\nexpect: { rule: none }",
    "4 case_failed: case 'it' fails: expected rule none, got eu",
  ],
])("a case that can't mean what it says is refused: %j", (theCase, fault) => {
  expect(faultsOf(theCase)[0]).toContain(fault);
});
