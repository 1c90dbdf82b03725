import type { BreakerRules, HealthCheck } from "../core/health.ts";
import type { Deployment } from "../core/model.ts";
import type { OrgShared } from "../core/records.ts";
import type { RoutingLayer } from "../core/routing.ts";
import { checkDeployment } from "../providers/check.ts";
import { credentialOf } from "../routing/walk.ts";
import { secretSource } from "../providers/secret.ts";
import { readShared } from "../store/org-rows.ts";
import { orgIds } from "../store/orgs.ts";
import type { AdminDeps } from "./ports.ts";

/** At most so many wait at once (PLATFORM 6). */
const AT_ONCE = 4;
/** Organizations and deployments that one minute's round looks at. */
const MOST_ORGS = 200;
const MOST_CHECKS = 500;

/** Checks deployments of an organization and keeps what was found, for its breakers and its history. */
export async function checkAll(
  deps: AdminDeps,
  shared: OrgShared,
  deployments: readonly Deployment[],
): Promise<HealthCheck[]> {
  const orgId = shared.org.id;
  const checks: HealthCheck[] = [];
  const left = [...deployments];
  const work = async () => {
    for (let each = left.shift(); each !== undefined; each = left.shift()) {
      checks.push(await checkOne(deps, shared, each));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const all: RoutingLayer = shared.routing?.all ?? {};
  const rules: BreakerRules = {
    allowedFails: all.allowedFails ?? 3,
    cooldown: all.cooldown ?? 60_000,
    enabled: all.cooldowns ?? true,
  };
  const well = new Map(
    checks
      .filter(({ result }) => result === "healthy")
      .map(({ deployment, at }) => [deployment, at] as const),
  );
  const accepted = deployments.flatMap((each) => {
    const at = well.get(each.id);
    return at === undefined ? [] : [{ credential: credentialOf(each), at }];
  });
  await deps.healthObject(orgId).checked(checks, rules, accepted);
  return checks;
}

export async function checkOne(
  deps: AdminDeps,
  shared: OrgShared,
  deployment: Deployment,
): Promise<HealthCheck> {
  const source = secretSource(shared, deployment);
  if (source.kind === "gone") {
    return {
      deployment: deployment.id,
      result: "unhealthy",
      reason: "The deployment's credential is gone or belongs to another host.",
      fault: "deployment",
      latency: 0,
      at: deps.now(),
    };
  }
  const secret =
    source.kind === "stored"
      ? await deps.vault.open(shared.org.id, source.credential)
      : source.kind === "platform"
        ? deps.platformKey(source.provider)
        : null;
  return checkDeployment(deps, deployment, secret);
}

/** Looks at new deployments behind the call that added them: they serve last until then. Never rejects. */
export async function checkNew(deps: AdminDeps, orgId: string, ids: string[]): Promise<void> {
  try {
    await deps.healthObject(orgId).expect(ids);
  } catch {
    // The check itself tells more than that it is due.
  }
  await checkChanged(deps, orgId, ({ id }) => ids.includes(id));
}

/**
 * Looks at deployments behind the call that changed them or their credential, so that what was mended serves again
 * without waiting for its rest, and what was broken serves nobody. Never rejects.
 */
export async function checkChanged(
  deps: AdminDeps,
  orgId: string,
  concerns: (deployment: Deployment) => boolean,
): Promise<void> {
  try {
    const shared = await readShared(deps.db, orgId);
    if (shared === null) return;
    const checks = await checkAll(deps, shared, shared.deployments.filter(concerns));
    for (const { deployment, fault, reason } of checks) {
      if (fault !== "deployment") continue;
      deps.log.warn("a provider refuses the credential of a deployment", { deployment, reason });
    }
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "Error";
    deps.log.warn("a deployment could not be checked", { cause: name });
  }
}

/** The minute's round: every deployment that no traffic told of. Never rejects. */
export async function checkRound(deps: AdminDeps): Promise<void> {
  let left = MOST_CHECKS;
  try {
    for (const orgId of await orgIds(deps.db, MOST_ORGS)) {
      if (left <= 0) return;
      const [shared, views] = await Promise.all([
        readShared(deps.db, orgId),
        deps.healthObject(orgId).view(),
      ]);
      if (shared === null || shared.deployments.length === 0) continue;
      const busy = new Set(
        views.filter((each) => each.attempts > 0 && each.openFor === null).map((each) => each.cell),
      );
      const quiet = shared.deployments.filter((each) => !busy.has(each.id)).slice(0, left);
      left -= quiet.length;
      await checkAll(deps, shared, quiet);
    }
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "Error";
    deps.log.warn("the round of health checks ended early", { cause: name });
  }
}
