import { compile, type Compiled } from "./compile.ts";
import { readYaml } from "./yaml.ts";
import type { Fault } from "./faults.ts";
import type { Known } from "./known.ts";
import { runSuite, type SuiteResult } from "./suite.ts";

/** A document that was read, with its tests run; `plan` is null where something refuses it. */
export interface Checked extends Compiled {
  source: string;
  tests: string | null;
  faults: Fault[];
  suite: SuiteResult | null;
}

/** Reads a document and the tests that come with it, in the same text or apart. Pure. */
export function checkDocument(
  known: Known,
  text: string,
  tests: string | null = null,
  name = "policy.yaml",
): Checked {
  const testName = name.replace(/(\.ya?ml)?$/, ".test.yaml");
  const [document, inline, ...more] = readYaml(name, text);
  if (document === undefined) throw new Error("A text has a document.");
  const compiled = compile(document, known);
  const faults = [...document.faults];
  if (more.length > 0) {
    document.error(null, "too_large", "a text holds one policy and its tests at most");
    faults.push(...document.faults.slice(faults.length));
  }
  const [apart] = tests === null ? [] : readYaml(testName, tests);
  const suites = [inline, apart].filter((each) => each !== undefined);
  let { plan } = compiled;
  let suite: SuiteResult | null = null;
  for (const source of suites) {
    if (plan === null) break;
    const result = runSuite(source, plan, known.gateway);
    suite = suite === null ? result : joined(suite, result);
    faults.push(...source.faults);
  }
  if (faults.some((each) => each.severity === "error")) plan = null;
  return { ...compiled, plan, source: text, tests, faults, suite };
}

function joined(a: SuiteResult, b: SuiteResult): SuiteResult {
  const covered = [...new Set([...a.covered, ...b.covered])];
  return {
    cases: [...a.cases, ...b.cases],
    passed: a.passed + b.passed,
    covered,
    uncovered: a.uncovered.filter((each) => !covered.includes(each)),
  };
}
