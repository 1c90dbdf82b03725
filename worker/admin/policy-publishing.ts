import { isWanted } from "../core/delivery.ts";
import { GatewayError } from "../core/errors.ts";
import { REGIONS, shownOrgId, type RegionLetter } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { DetectedSignal } from "../core/policy.ts";
import { bundleHash, bundleText, readBundle } from "../policy/bundle.ts";
import type { Compiled } from "../policy/compile.ts";
import { faultText, type Fault } from "../policy/faults.ts";
import type { Known } from "../policy/known.ts";
import type { SuiteResult } from "../policy/suite.ts";
import type { Plan } from "../policy/plan.ts";
import { providers } from "../providers/catalog.ts";
import { dialNamed } from "../routing/smart/dial.ts";
import { resolve, resolvableModels } from "../providers/resolve.ts";
import { currentPolicies, findPolicy, insertPolicy, type PolicyRow } from "../store/policy-rows.ts";
import { readShared } from "../store/org-rows.ts";
import { findOrg } from "../store/orgs.ts";
import { findTeam } from "../store/teams.ts";
import { readWebhook } from "../store/webhooks.ts";
import type { AdminContext } from "./context.ts";
import { notFound } from "./operation.ts";

/** Faults beyond these are counted, not listed. */
const MOST_TOLD = 20;

/** The scope that a call means: the organization's document, or a team's by its id or alias. */
export async function scopeOf(ctx: AdminContext, team: string | null | undefined): Promise<string> {
  if (team == null || team === "") return "org";
  const row = await findTeam(ctx.deps.db, ctx.orgId, team);
  if (row === null) throw notFound("team", "team");
  return row.id;
}

/** What a document may speak of in the organization that a call acts in. */
export async function knownIn(ctx: AdminContext, scope: string): Promise<Known> {
  const { deps, orgId } = ctx;
  // Out of the record: an isolate's copy may not have heard yet of a group that was added a moment ago.
  const shared = await readShared(deps.db, orgId);
  if (shared === null) throw notFound("organization", "organization_id");
  const context = {
    shared,
    hasPlatformKey: (provider: string) => deps.platformKey(provider) !== null,
  };
  const aliases = Object.keys(shared.routing?.aliases ?? {});
  const [webhook, org, team] = await Promise.all([
    readWebhook(deps.db, orgId),
    findOrg(deps.db, orgId),
    scope === "org" ? null : findTeam(deps.db, orgId, scope),
  ]);
  return {
    serves: (name) =>
      aliases.includes(name) || dialNamed(name) !== null || resolve(name, context).found,
    groups: [...resolvableModels(context).map(({ id }) => id), ...aliases],
    providers: providers().map(({ slug }) => slug),
    bears: (name) =>
      resolve(name, context).found ||
      shared.deployments.some((each) =>
        [each.model, `${each.provider}/${each.model}`].includes(name),
      ),
    // There are no such objects yet, so that none of them exists.
    hasFeature: () => false,
    detectors: Object.keys(deps.detectors) as DetectedSignal[],
    channels: webhook !== null && isWanted(webhook, "policy.alert") ? ["webhook"] : [],
    retentionDays: deps.settings.auditRetentionDays,
    gateway: REGIONS[orgId[0] as RegionLetter],
    names: {
      workspace: [
        shared.org.alias,
        ...(org?.chosenId == null ? [] : [org.chosenId]),
        orgId,
        shownOrgId(orgId),
        `ws_${orgId}`,
      ],
      team: scope === "org" ? null : [team?.alias ?? scope, scope],
    },
    // Nor is there a guardrail that would.
    redacts: false,
    country: deps.settings.profile === "cloud",
    team: scope !== "org",
  };
}

/** A fault as answers show it. */
export function faultFields(fault: Fault): JsonObject {
  const { severity, code, file, line, column, message } = fault;
  return { severity, code, file, line, column, message, text: faultText(fault) };
}

/** The refusal of a document, with each fault at its place. */
export function refusedDocument(faults: readonly Fault[]): GatewayError {
  const errors = faults.filter((each) => each.severity === "error");
  const [first] = errors;
  const more = errors.length > 1 ? `\n(and ${errors.length - 1} more)` : "";
  return new GatewayError(
    "invalid_fields",
    `The policy is refused. ${first === undefined ? "" : faultText(first)}${more}`,
    {
      param: "yaml",
      members: {
        faults: errors.slice(0, MOST_TOLD).map(faultFields),
        detail: errors.slice(0, MOST_TOLD).map((fault) => ({
          loc: ["body", fault.file, fault.line, fault.column],
          msg: fault.message,
          type: fault.code,
        })),
      },
    },
  );
}

/** Which rules and constraints some case came to. */
export function coverageFields(suite: SuiteResult | null): JsonObject | null {
  if (suite === null) return null;
  const { cases, passed, covered, uncovered } = suite;
  return { cases: cases.length, passed, covered, uncovered };
}

/** How an answer shows one version. */
export function versionFields(row: PolicyRow) {
  return {
    scope: row.scope,
    version: row.version,
    hash: row.hash,
    rules: row.rules,
    restores: row.restores,
    created_at: new Date(row.createdAt).toISOString(),
    created_by: row.createdBy,
  };
}

/** Refuses a change to a version other than the one in force (`If-Match`: its number or hash, or `*`). */
export function matches(ifMatch: string | null | undefined, current: PolicyRow | null): void {
  if (ifMatch == null || ifMatch === "") return;
  const wanted = ifMatch.replace(/^W\//, "").replaceAll('"', "").trim();
  const fits =
    current === null
      ? wanted === "0"
      : wanted === "*" || wanted === String(current.version) || wanted === current.hash;
  if (fits) return;
  const now = current === null ? "there is none yet (0)" : `version ${current.version} is in force`;
  throw new GatewayError(
    "conflict",
    `If-Match names '${wanted.slice(0, 80)}', but ${now}: read it again before you change it.`,
    { status: 412 },
  );
}

export interface Publication {
  scope: string;
  source: string;
  tests: string | null;
  plan: Plan;
  targets: Compiled["targets"];
  /** The version that this one brings back. */
  restores: number | null;
}

/** How often a publication begins anew where another one came first. */
const MOST_RACES = 5;

/**
 * Makes a document the one in force; the same document again changes nothing, whatever `ifMatch` names: who repeats a
 * call whose answer was lost finds it done. Of two that come at once the later stands on the earlier, unless it named
 * the version that it was to replace. A dry run answers what would be.
 */
export async function publish(
  ctx: AdminContext,
  publication: Publication,
  how: { dryRun: boolean; ifMatch: string | null | undefined },
): Promise<{ row: PolicyRow; changed: boolean }> {
  const { scope, source, tests, plan, targets, restores } = publication;
  const text = bundleText(source, tests, plan);
  const hash = bundleHash(text);
  for (let race = 1; ; race++) {
    const current = await versionOf(ctx, scope, null);
    if (current !== null && current.hash === hash) return { row: current, changed: false };
    matches(how.ifMatch, current);
    const row: PolicyRow = {
      orgId: ctx.orgId,
      scope,
      version: (current?.version ?? 0) + 1,
      hash,
      restores,
      rules: plan.rules.length,
      targets,
      createdBy: ctx.actor,
      createdAt: ctx.now,
    };
    if (how.dryRun) return { row, changed: true };
    // Everywhere before anything points to it.
    await ctx.deps.policyArchive.save(ctx.orgId, hash, text);
    await ctx.deps.control(ctx.orgId).keepBundle(hash, text);
    try {
      await ctx.commit({
        statements: [insertPolicy(ctx.orgId, row)],
        touches: ["shared"],
        events: [
          {
            type: "policy.changed",
            objectId: scope,
            ...(scope !== "org" && { teamId: scope }),
            ...(current !== null && { before: versionFields(current) }),
            after: versionFields(row),
          },
        ],
      });
      return { row, changed: true };
    } catch (cause) {
      if (!(cause instanceof GatewayError) || cause.kind !== "conflict") throw cause;
      if (race < MOST_RACES) continue;
      throw new GatewayError(
        "conflict",
        "Others publish this policy at the same moment: try again.",
      );
    }
  }
}

/** Puts on record that a document was refused; what it says is not kept. */
export async function recordRejected(
  ctx: AdminContext,
  scope: string,
  faults: readonly Fault[],
): Promise<void> {
  const errors = faults.filter((each) => each.severity === "error");
  await ctx.commit({
    statements: [],
    touches: [],
    events: [
      {
        type: "policy.rejected",
        objectId: scope,
        ...(scope !== "org" && { teamId: scope }),
        data: { faults: errors.length, codes: [...new Set(errors.map(({ code }) => code))] },
      },
    ],
  });
}

/** The document of a version, out of the archive. */
export async function bundleOf(ctx: AdminContext, row: Pick<PolicyRow, "hash">) {
  const text = await ctx.deps.policyArchive.load(ctx.orgId, row.hash);
  if (text === null)
    throw new GatewayError("control_plane_unavailable", "The archive has no such bundle now.");
  return readBundle(text);
}

/** A version of a scope's document; the one in force if none is named. */
export async function versionOf(
  ctx: AdminContext,
  scope: string,
  version: number | null | undefined,
): Promise<PolicyRow | null> {
  return findPolicy(ctx.deps.db, ctx.orgId, scope, version ?? undefined);
}

/** Refuses to take away the last deployment of a group that a policy in force routes to, by its name or an alias. */
export async function keepsRouted(ctx: AdminContext, group: string): Promise<void> {
  const shared = await readShared(ctx.deps.db, ctx.orgId);
  const aliases = Object.entries(shared?.routing?.aliases ?? {});
  const names = [group, ...aliases.flatMap(([name, of]) => (of === group ? [name] : []))];
  await refuseRouted(ctx, names, (name) =>
    name === group
      ? `routes to '${name}', and this is its last deployment`
      : `routes to '${name}', which stands for '${group}', and this is its last deployment`,
  );
}

/** Refuses to take away an alias that a policy in force routes to, unless something else serves its name. */
export async function keepsAliases(ctx: AdminContext, gone: readonly string[]): Promise<void> {
  if (gone.length === 0) return;
  const shared = await readShared(ctx.deps.db, ctx.orgId);
  if (shared === null) return;
  const context = {
    shared,
    hasPlatformKey: (provider: string) => ctx.deps.platformKey(provider) !== null,
  };
  const lost = gone.filter((name) => dialNamed(name) === null && !resolve(name, context).found);
  await refuseRouted(ctx, lost, (name) => `routes to '${name}', and this takes that alias away`);
}

async function refuseRouted(
  ctx: AdminContext,
  names: readonly string[],
  why: (name: string) => string,
): Promise<void> {
  if (names.length === 0) return;
  for (const row of await currentPolicies(ctx.deps.db, ctx.orgId)) {
    const target = row.targets.find(({ name }) => names.includes(name));
    if (target === undefined) continue;
    const whose =
      row.scope === "org" ? "the organization's policy" : `the policy of team ${row.scope}`;
    throw new GatewayError(
      "conflict",
      `Rule '${target.rule}' of ${whose} (version ${row.version}) ${why(target.name)}: change the policy first.`,
      {
        param: "id",
        members: { policy: { scope: row.scope, version: row.version, rule: target.rule } },
      },
    );
  }
}
