/** One kind of mistake: the code of its fault, and text whose wrong line ends with `#!`. */
export interface Mistake {
  kind: string;
  code: string;
  /** Where the text stands: as rules, as constraints, at the top of the document, or as the whole of it. */
  at: "rules" | "constraints" | "top" | "whole";
  text: string;
  /** Well-formed and well-typed, but not what anybody can mean. */
  meant?: true;
}

const rule = (kind: string, code: string, text: string): Mistake => ({
  kind,
  code,
  at: "rules",
  text,
});
const senseless = (kind: string, code: string, text: string): Mistake => ({
  ...rule(kind, code, text),
  meant: true,
});

export const MISTAKES: readonly Mistake[] = [
  rule("misspelt signal", "unknown_signal", "- when: { content.pii_detcted: true } #!\n  route: a"),
  rule("signal without its class", "unknown_signal", "- when:\n    residency: eu #!\n  route: a"),
  rule(
    "misspelt signal in CEL",
    "unknown_signal",
    '- route: a\n  when: identity.regoin == "eu" #!',
  ),
  rule(
    "signal on the second line of CEL",
    "unknown_signal",
    '- when: |\n    content.has_code &&\n    identity.rol == "admin" #!\n  route: a',
  ),
  rule("credential header", "unknown_signal", "- when: { header.Authorization: x } #!\n  route: a"),
  rule("header without a name", "unknown_signal", "- when: { header.: x } #!\n  route: a"),
  rule(
    "misspelt operator",
    "unknown_operator",
    "- when:\n    content.input_tokens: { greater: 5 } #!\n  route: a",
  ),
  rule("misspelt key of a rule", "unknown_key", "- when: { identity.region: eu }\n  routes: a #!"),
  rule("key of another place", "unknown_key", "- route: a\n  require: { training: false } #!"),
  rule(
    "misspelt key of an alert",
    "unknown_key",
    "- route: a\n  alert:\n    chanel: slack #!\n    message: x",
  ),
  rule(
    "unknown channel",
    "unknown_value",
    "- route: a\n  alert: { channel: pager, message: x } #!",
  ),
  rule("alert without a message", "missing_key", "- route: a\n  alert: { channel: slack } #!"),
  rule("unknown residency", "unknown_value", "- route: a\n  residency: eu-onyl #!"),
  rule("unknown strategy", "unknown_value", "- route: a\n  strategy: fastest #!"),
  rule("value of another type", "type_error", '- when: { content.has_code: "yes" } #!\n  route: a'),
  rule("YAML word for true", "wrong_type", "- when: { identity.region: eu }\n  block: yes #!"),
  rule(
    "number as text",
    "type_error",
    '- when:\n    content.input_tokens: { gt: "100" } #!\n  route: a',
  ),
  rule("order of text", "type_error", "- when: { identity.region: { lt: 5 } } #!\n  route: a"),
  rule("list of mixed types", "type_error", "- when: { identity.region: [eu, 3] } #!\n  route: a"),
  rule(
    "between without two numbers",
    "type_error",
    "- when: { content.input_tokens: { between: [5] } } #!\n  route: a",
  ),
  rule(
    "types that don't meet in CEL",
    "type_error",
    "- when: content.input_tokens > identity.region #!\n  route: a",
  ),
  rule(
    "text where truth is needed in CEL",
    "type_error",
    "- when: identity.region && content.has_code #!\n  route: a",
  ),
  rule(
    "unknown function in CEL",
    "unknown_function",
    '- when: identity.region.upper() == "EU" #!\n  route: a',
  ),
  rule("CEL that ends too early", "cel_syntax", "- when: content.has_code && #!\n  route: a"),
  rule("CEL with a stray sign", "cel_syntax", "- when: content.has_code $ true #!\n  route: a"),
  rule(
    "costly CEL",
    "too_large",
    `- when: ${Array.from({ length: 140 }, () => "content.has_code").join(" || ")} #!\n  route: a`,
  ),
  rule(
    "pattern with a back reference",
    "bad_pattern",
    "- when: { content.model: { matches: '(a)\\1' } } #!\n  route: a",
  ),
  rule(
    "pattern that never closes",
    "bad_pattern",
    "- when: { content.model: { matches: 'gpt-(4' } } #!\n  route: a",
  ),
  rule(
    "unknown constant",
    "unknown_constant",
    "- when: { identity.region: constants.regoins } #!\n  route: a",
  ),
  rule(
    "missing group",
    "missing_target",
    "- when: { identity.region: eu }\n  route: no-such-group #!",
  ),
  rule(
    "missing fallback",
    "missing_target",
    "- route: a\n  fallbacks:\n    - b\n    - no-such-group #!",
  ),
  rule("missing guardrail", "missing_target", "- route: a\n  guardrail_id: pii-shield #!"),
  rule("rule that does nothing", "missing_key", "- when: { identity.region: eu } #!"),
  rule("rule that is no map", "wrong_type", "- just-text #!"),
  rule("empty when", "wrong_type", "- when: {} #!\n  route: a"),
  rule("when that is a list", "wrong_type", "- when: [identity.region, eu] #!\n  route: a"),
  rule("empty list", "wrong_type", "- when: { identity.region: [] } #!\n  route: a"),
  rule("negative retries", "wrong_type", "- route: a\n  num_retries: -1 #!"),
  rule("timeout of nothing", "wrong_type", "- route: a\n  timeout: 0 #!"),
  rule(
    "retention beyond seven years",
    "wrong_type",
    "- route: a\n  audit: { retention_days: 9999 } #!",
  ),
  rule("null byte in a text", "bad_text", '- block: { message: "a\\0b" } #!'),
  rule("half a character", "bad_text", '- block: { message: "\\ud83d" } #!'),
  rule("bad id", "bad_name", "- id: my rule #!\n  route: a"),
  rule(
    "id that is taken",
    "duplicate_id",
    "- id: twin\n  when: { identity.region: xx }\n  route: a\n- id: twin #!\n  when: { identity.region: yy }\n  route: a",
  ),
  rule("name twice in a map", "yaml", "- route: a\n  route: b #!"),
  rule(
    "unknown time zone",
    "unknown_value",
    "- route: a\n  schedule: { timezone: Europe/Berln } #!",
  ),
  rule("unknown day", "unknown_value", "- route: a\n  schedule: { days: [mon, tus] } #!"),
  rule("time that is none", "wrong_type", '- route: a\n  schedule:\n    from: "25:00" #!'),
  rule(
    "unknown signal off its detector",
    "detector_off",
    "- when: { content.injection_detected: true } #!\n  route: a",
  ),
  senseless(
    "value that a signal never has",
    "type_error",
    "- when: { identity.role: superuser } #!\n  route: a",
  ),
  senseless(
    "hour that no day has",
    "never_true",
    "- when: { schedule.hour: { gt: 23 } } #!\n  route: a",
  ),
  senseless(
    "bound that always holds",
    "always_true",
    "- when: { budget.remaining_pct: { lte: 100 } } #!\n  route: a",
  ),
  senseless(
    "conditions that contradict",
    "never_true",
    '- when: identity.region == "eu" && identity.region == "us" #!\n  route: a',
  ),
  senseless(
    "range backwards",
    "never_true",
    "- when: { content.input_tokens: { between: [9, 1] } } #!\n  route: a",
  ),
  senseless(
    "rule that is never reached",
    "unreachable",
    "- when: { identity.country_group: x }\n  route: a".replace(
      "identity.country_group",
      "identity.plan",
    ) + "\n- when: { identity.plan: x, content.has_code: true } #!\n  route: b",
  ),
  senseless(
    "range within an earlier one",
    "unreachable",
    "- when: { content.input_tokens: { gt: 10 } }\n  route: a\n- when: { content.input_tokens: { gt: 20 } } #!\n  route: b",
  ),
  senseless(
    "schedules that cross",
    "schedule_overlap",
    '- schedule: { from: "08:00", to: "18:00" }\n  route: a\n- schedule: { from: "17:00", to: "20:00" } #!\n  route: b',
  ),
  senseless(
    "window of nothing",
    "never_true",
    '- route: a\n  schedule: { from: "08:00", to: "08:00" } #!',
  ),
  senseless(
    "window from the day's end to its beginning",
    "never_true",
    '- route: a\n  schedule: { from: "24:00", to: "00:00" } #!',
  ),
  senseless("window on no day", "never_true", "- route: a\n  schedule: { days: [] } #!"),
  senseless("constants that are compared", "constant_condition", '- when: "1 < 2" #!\n  route: a'),
  senseless(
    "block that also routes",
    "contradiction",
    "- when: { identity.region: eu }\n  block: true\n  route: a #!",
  ),
  senseless(
    "schedule that its condition never meets",
    "never_true",
    "- when: { schedule.weekend: true } #!\n  schedule: { days: mon-fri }\n  route: a",
  ),
  senseless(
    "hours of the business at night",
    "never_true",
    '- when: "schedule.business_hours && schedule.hour > 20" #!\n  route: a',
  ),
  senseless(
    "hour within an earlier schedule",
    "unreachable",
    '- schedule: { from: "08:00", to: "18:00" }\n  route: a\n- when: { schedule.hour: 9 } #!\n  route: b',
  ),
  senseless(
    "language that is never told",
    "type_error",
    "- when: { content.language: german } #!\n  route: a",
  ),
  senseless(
    "path in the place of an endpoint",
    "type_error",
    "- when: { content.endpoint: /v1/chat/completions } #!\n  route: a",
  ),
  senseless(
    "throttle beside a route that is not smart",
    "contradiction",
    "- when: { identity.region: eu }\n  throttle: true #!\n  route: a",
  ),
  {
    kind: "throttle beside a route of the defaults",
    code: "contradiction",
    at: "whole",
    text: "defaults: { route: a }\nrules:\n  - throttle: true #!",
    meant: true,
  },
  senseless(
    "class among regions",
    "unknown_value",
    "- route: a\n  residency:\n    - eu-west-1\n    - us-only #!",
  ),
  rule(
    "class without its signal",
    "unknown_signal",
    "- when: { identity: { region: eu } } #!\n  route: a",
  ),
  {
    kind: "constraint that nothing meets",
    code: "never_true",
    at: "constraints",
    text: "- forbid: { training: true }\n  when: { all: [{ identity.plan: a }, { identity.plan: b }] } #!",
    meant: true,
  },
  {
    kind: "constraint at a time that never is",
    code: "never_true",
    at: "constraints",
    text: "- forbid: { training: true }\n  when: { schedule.weekend: true, schedule.weekday: mon } #!",
    meant: true,
  },
  {
    kind: "class in the place of a region",
    code: "unknown_value",
    at: "constraints",
    text: "- require: { region: eu-only } #!",
    meant: true,
  },
  {
    kind: "constraint without a demand",
    code: "missing_key",
    at: "constraints",
    text: "- id: c #!",
  },
  {
    kind: "misspelt fact of a target",
    code: "unknown_key",
    at: "constraints",
    text: "- forbid: { trainning: true } #!",
  },
  {
    kind: "unknown provider",
    code: "unknown_provider",
    at: "constraints",
    text: "- forbid:\n    provider: [openai, antropic] #!",
  },
  {
    kind: "retention that is no number",
    code: "unknown_value",
    at: "constraints",
    text: "- require: { retention: never } #!",
  },
  {
    kind: "forbidden guardrail",
    code: "missing_target",
    at: "constraints",
    text: "- forbid: { guardrail_id: g } #!",
  },
  { kind: "misspelt key of the document", code: "unknown_key", at: "top", text: "rulez: [] #!" },
  {
    kind: "constant with a dash",
    code: "bad_name",
    at: "top",
    text: "constants:\n  eu-regions: [eu] #!",
  },
  {
    kind: "default that is none",
    code: "unknown_key",
    at: "top",
    text: "defaults:\n  when: { identity.region: eu } #!",
  },
  {
    kind: "hours that are none",
    code: "wrong_type",
    at: "top",
    text: "schedule:\n  business_hours: nine to five #!",
  },
  {
    kind: "broken YAML",
    code: "yaml",
    at: "whole",
    text: "rules:\n  - when: { identity.region: eu\n    route: a #!",
  },
  { kind: "tab for an indent", code: "yaml", at: "whole", text: "rules:\n\t- route: a #!" },
  { kind: "list for a document", code: "wrong_type", at: "whole", text: "- route: a #!" },
  {
    kind: "quote that never closes",
    code: "yaml",
    at: "whole",
    text: "rules:\n  - when: 'content.has_code #!\n    route: a",
  },
  {
    kind: "colon in a text",
    code: "yaml",
    at: "whole",
    text: "rules:\n  - block:\n      message: Refused: not here #!",
  },
  { kind: "unknown tag", code: "yaml", at: "whole", text: "rules:\n  - route: !!js/function a #!" },
];

/** A document with `before` sound rules or constraints above the mistake and one below, and its wrong line, from 1. */
export function documentWith(mistake: Mistake, before: number): { yaml: string; line: number } {
  const indented = (text: string, by: string) => text.split("\n").map((each) => by + each);
  const sound = (index: number) => [
    `  - id: sound-${index}`,
    `    when: { header.x-n: n${index} }`,
    "    route: a",
  ];
  const above = Array.from({ length: before }, (_, index) => sound(index)).flat();
  const lines =
    mistake.at === "whole"
      ? [...Array.from({ length: before }, () => "# a comment"), ...indented(mistake.text, "")]
      : mistake.at === "top"
        ? [...indented(mistake.text, ""), "rules:", ...above, ...sound(99)]
        : mistake.at === "rules"
          ? ["rules:", ...above, ...indented(mistake.text, "  "), ...sound(99)]
          : ["constraints:", ...indented(mistake.text, "  "), "rules:", ...above, ...sound(99)];
  const line = lines.findIndex((each) => each.endsWith(" #!")) + 1;
  return { yaml: `${lines.map((each) => each.replace(/ #!$/, "")).join("\n")}\n`, line };
}
