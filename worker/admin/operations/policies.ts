import * as z from "zod";
import type { AdminContext } from "../context.ts";
import { exactly, ORG, PAGE, reference } from "../fields.ts";
import { inOrg, operation } from "../operation.ts";
import {
  bundleOf,
  coverageFields,
  faultFields,
  knownIn,
  matches,
  publish,
  recordRejected,
  refusedDocument,
  scopeOf,
  versionFields,
  versionOf,
} from "../policy-publishing.ts";
import { checkDocument, type Checked } from "../../policy/checked.ts";
import { currentPolicies, listPolicyVersions } from "../../store/policy-rows.ts";

const EXAMPLE = `rules:
  - when: { identity.region: eu }
    residency: eu-only
  - when: { content.input_tokens: { gt: 100000 } }
    block: { message: "too long" }
`;
const HASH = "sha256:0f6a…";
const AT = "2026-11-26T12:00:00.000Z";

const yaml = z
  .string()
  .max(600_000, "At most 600,000 characters")
  .describe("The document; a second one behind `---` holds its tests");
const workspace = reference.describe("The organization: its id, ws_<id> or alias");
const team = reference.nullish().describe("Id or alias of a team, for its own document");
/** `?dry_run`, `?dry_run=true` or a JSON boolean. */
const switched = z
  .union([z.boolean(), z.string().max(8)])
  .nullish()
  .transform(
    (value) => value === true || (typeof value === "string" && !/^(false|0|no)$/.test(value)),
  );
const version = z.coerce.number().int().min(1).nullish();

const fault = z.object({
  severity: z.enum(["error", "warning"]),
  code: z.string(),
  file: z.string(),
  line: z.number(),
  column: z.number(),
  message: z.string(),
  text: z.string().describe("The place, the line and a caret, for people"),
});
const coverage = z
  .object({
    cases: z.number(),
    passed: z.number(),
    covered: z.array(z.string()),
    uncovered: z.array(z.string()).describe("Rules and constraints that no case comes to"),
  })
  .nullable();
const shown = z.object({
  scope: z.string().describe("org, or the id of the team"),
  version: z.number(),
  hash: z.string(),
  rules: z.number(),
  restores: z.number().nullable().describe("The version that a rollback brought back"),
  created_at: z.string(),
  created_by: z.string().nullable(),
});
const published = shown.extend({
  changed: z.boolean(),
  dry_run: z.boolean(),
  warnings: z.array(fault),
  coverage,
});
const SHOWN = {
  scope: "org",
  version: 18,
  hash: HASH,
  rules: 2,
  restores: null,
  created_at: AT,
  created_by: "master",
};

const FAULTS = {
  severity: "error",
  code: "unknown_signal",
  file: "policy.yaml",
  line: 2,
  column: 13,
  message: "there is no signal 'identity.regoin'; did you mean 'identity.region'?",
  text: "policy.yaml:2:13: there is no signal 'identity.regoin'; …",
};

const validate = operation({
  id: "policy.validate",
  section: "Policies",
  summary: "Check a policy document",
  notes:
    "Answers every fault with its place, unreachable rules, missing targets and the result of the tests that come with it. Stores nothing. The body may be the YAML itself (text/yaml).",
  http: [{ method: "POST", path: "/policy/validate" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  text: "yaml",
  input: z.object({
    ...ORG,
    yaml,
    tests: yaml.nullish(),
    team,
    file: z.string().max(200).nullish().describe("Its name in faults"),
  }),
  output: z.object({ valid: z.boolean(), rules: z.number(), faults: z.array(fault), coverage }),
  example: {
    input: { yaml: EXAMPLE.replace("region", "regoin") },
    output: { valid: false, rules: 0, faults: [FAULTS], coverage: null },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const known = await knownIn(ctx, await scopeOf(ctx, input.team));
    const checked = checkDocument(known, input.yaml, input.tests ?? null, input.file ?? undefined);
    return {
      valid: checked.plan !== null,
      rules: checked.plan?.rules.length ?? 0,
      faults: checked.faults.map((each) => faultFields(each) as z.input<typeof fault>),
      coverage: coverageFields(checked.suite) as z.input<typeof coverage>,
    };
  },
});

const put = operation({
  id: "policy.publish",
  section: "Policies",
  summary: "Publish a policy document",
  notes:
    "Checks the document, runs its tests, stores it under its hash and puts it into force everywhere in under 5 s. The same document again changes nothing. If-Match (version or hash) guards against lost updates; ?dry_run publishes nothing. The body may be the YAML itself (text/yaml).",
  http: [{ method: "PUT", path: "/policy/{workspace}" }],
  permission: { resource: "policy", action: "write" },
  event: "policy.changed",
  text: "yaml",
  orgFrom: "workspace",
  input: exactly({
    workspace,
    yaml,
    tests: yaml.nullish(),
    team,
    file: z.string().max(200).nullish().describe("Its name in faults"),
    dry_run: switched,
    if_match: z.string().max(200).nullish(),
  }),
  output: published,
  example: {
    input: { workspace: "acme", yaml: EXAMPLE },
    output: { ...SHOWN, changed: true, dry_run: false, warnings: [], coverage: null },
  },
  errors: ["conflict"],
  target: inOrg,
  async run(ctx, input) {
    const scope = await scopeOf(ctx, input.team);
    const checked = checkDocument(
      await knownIn(ctx, scope),
      input.yaml,
      input.tests ?? null,
      input.file ?? undefined,
    );
    return putIntoForce(ctx, scope, checked, {
      dryRun: input.dry_run,
      ifMatch: input.if_match,
      restores: null,
    });
  },
});

/** Puts a checked document into force, or says what would come of it. */
export async function putIntoForce(
  ctx: AdminContext,
  scope: string,
  checked: Checked,
  how: { dryRun: boolean; ifMatch: string | null | undefined; restores: number | null },
) {
  const { plan, faults, suite, source, tests, targets } = checked;
  const { dryRun, ifMatch, restores } = how;
  if (plan === null) {
    matches(ifMatch, await versionOf(ctx, scope, null));
    if (!dryRun) await recordRejected(ctx, scope, faults);
    throw refusedDocument(faults);
  }
  const publication = { scope, source, tests, plan, targets, restores };
  const { row, changed } = await publish(ctx, publication, { dryRun, ifMatch });
  ctx.headers.etag = `"${row.version}"`;
  return {
    ...versionFields(row),
    changed,
    dry_run: dryRun,
    warnings: faults.map((each) => faultFields(each) as z.input<typeof fault>),
    coverage: coverageFields(suite) as z.input<typeof coverage>,
  };
}

const get = operation({
  id: "policy.get",
  section: "Policies",
  summary: "Read a policy document",
  http: [{ method: "GET", path: "/policy/{workspace}" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  orgFrom: "workspace",
  input: z.object({ workspace, team, version }),
  output: shown.extend({ yaml: z.string(), tests: z.string().nullable() }),
  example: {
    input: { workspace: "acme" },
    output: { ...SHOWN, yaml: EXAMPLE, tests: null },
  },
  errors: ["not_found"],
  missing: { what: "policy", param: "version" },
  async target(ctx, input) {
    const row = await versionOf(ctx, await scopeOf(ctx, input.team), input.version);
    return row && { ...inOrg(ctx), object: row };
  },
  async run(ctx, _input, row) {
    const bundle = await bundleOf(ctx, row);
    ctx.headers.etag = `"${row.version}"`;
    return { ...versionFields(row), yaml: bundle.source, tests: bundle.tests };
  },
});

const versions = operation({
  id: "policy.versions",
  section: "Policies",
  summary: "List the versions of a policy, newest first",
  http: [{ method: "GET", path: "/policy/{workspace}/versions" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  orgFrom: "workspace",
  input: z.object({ workspace, team, ...PAGE }),
  output: z.object({
    versions: z.array(shown),
    total: z.number(),
    page: z.number(),
    page_size: z.number(),
    total_pages: z.number(),
  }),
  example: {
    input: { workspace: "acme" },
    output: { versions: [SHOWN], total: 1, page: 1, page_size: 10, total_pages: 1 },
  },
  errors: [],
  target: inOrg,
  async run(ctx, input) {
    const scope = await scopeOf(ctx, input.team);
    const { rows, ...page } = await listPolicyVersions(ctx.deps.db, ctx.orgId, scope, input);
    return { versions: rows.map(versionFields), ...page };
  },
});

const list = operation({
  id: "policy.list",
  section: "Policies",
  summary: "List the policies in force",
  notes: "The organization's document and those of its teams.",
  http: [{ method: "GET", path: "/policy/list" }],
  permission: { resource: "policy", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({ policies: z.array(shown) }),
  example: { input: {}, output: { policies: [SHOWN] } },
  errors: [],
  target: inOrg,
  async run(ctx) {
    const rows = await currentPolicies(ctx.deps.db, ctx.orgId);
    return { policies: rows.map(versionFields) };
  },
});

const rollback = operation({
  id: "policy.rollback",
  section: "Policies",
  summary: "Bring back an earlier version",
  notes:
    "The earlier document becomes a new version, checked against what exists now: one that routes to a group that is gone is refused.",
  http: [{ method: "POST", path: "/policy/{workspace}/rollback" }],
  permission: { resource: "policy", action: "write" },
  event: "policy.changed",
  orgFrom: "workspace",
  input: exactly({
    workspace,
    team,
    version: z.coerce.number().int().min(1),
    dry_run: switched,
    if_match: z.string().max(200).nullish(),
  }),
  output: published,
  example: {
    input: { workspace: "acme", version: 17 },
    output: {
      ...SHOWN,
      version: 19,
      restores: 17,
      changed: true,
      dry_run: false,
      warnings: [],
      coverage: null,
    },
  },
  errors: ["conflict", "not_found"],
  missing: { what: "policy version", param: "version" },
  async target(ctx, input) {
    const row = await versionOf(ctx, await scopeOf(ctx, input.team), input.version);
    return row && { ...inOrg(ctx), object: row };
  },
  async run(ctx, input, row) {
    const { source, tests } = await bundleOf(ctx, row);
    const checked = checkDocument(await knownIn(ctx, row.scope), source, tests);
    return putIntoForce(ctx, row.scope, checked, {
      dryRun: input.dry_run,
      ifMatch: input.if_match,
      restores: row.version,
    });
  },
});

export const POLICIES = [validate, list, put, get, versions, rollback];
