import { and, asc, eq } from "drizzle-orm";
import { AUTO_ROUTER } from "../core/auto-router.ts";
import type { JsonObject } from "../core/json.ts";
import { DEPLOYMENT_PARAMS, type Deployment } from "../core/model.ts";
import type { Statement } from "../core/ports.ts";
import { among, page, statement, writer } from "./database.ts";
import type { Db, Page, PageRequest } from "./database.ts";
import { deployments } from "./schema.ts";

export type DeploymentRow = typeof deployments.$inferSelect;
export type NewDeployment = Omit<typeof deployments.$inferInsert, "orgId">;
export type DeploymentPatch = Partial<Omit<NewDeployment, "id" | "createdAt" | "createdBy">>;

export async function findDeployment(
  db: Db,
  orgId: string,
  id: string,
): Promise<DeploymentRow | null> {
  const where = and(eq(deployments.orgId, orgId), eq(deployments.id, id));
  const rows = await db.select().from(deployments).where(where).limit(1);
  return rows[0] ?? null;
}

/** Deployments by group, then by age; with `group`, those of one group. */
export function listDeployments(
  db: Db,
  orgId: string,
  request: PageRequest & { group?: string } = {},
): Promise<Page<DeploymentRow>> {
  const where = and(
    eq(deployments.orgId, orgId),
    request.group === undefined ? undefined : eq(deployments.group, request.group),
  );
  const rows = db
    .select()
    .from(deployments)
    .where(where)
    .orderBy(asc(deployments.group), asc(deployments.createdAt), asc(deployments.id))
    .$dynamic();
  return page(request, db.$count(deployments, where), rows);
}

export function insertDeployment(orgId: string, row: NewDeployment): Statement {
  return statement(writer.insert(deployments).values({ ...row, orgId }));
}

export function updateDeployment(orgId: string, id: string, patch: DeploymentPatch): Statement {
  const where = and(eq(deployments.orgId, orgId), eq(deployments.id, id));
  return statement(writer.update(deployments).set(patch).where(where));
}

export function deleteDeployment(orgId: string, id: string): Statement {
  const where = and(eq(deployments.orgId, orgId), eq(deployments.id, id));
  return statement(writer.delete(deployments).where(where));
}

/** Moves the deployments of a credential that are at one address to another. */
export function moveDeployments(
  orgId: string,
  credentialId: string,
  from: string,
  to: string,
): Statement {
  const where = and(
    eq(deployments.orgId, orgId),
    eq(deployments.credentialId, credentialId),
    eq(deployments.baseUrl, from),
  );
  return statement(writer.update(deployments).set({ baseUrl: to }).where(where));
}

/** Those of these names that are model groups. */
export async function groupsAmong(
  db: Db,
  orgId: string,
  names: readonly string[],
): Promise<Set<string>> {
  const rows = await db
    .selectDistinct({ group: deployments.group })
    .from(deployments)
    .where(and(eq(deployments.orgId, orgId), among(deployments.group, names)));
  return new Set(rows.map((row) => row.group));
}

/** Those of these names that are named routers. */
export async function routersAmong(
  db: Db,
  orgId: string,
  names: readonly string[],
): Promise<Set<string>> {
  const rows = await db
    .selectDistinct({ group: deployments.group })
    .from(deployments)
    .where(
      and(
        eq(deployments.orgId, orgId),
        eq(deployments.provider, AUTO_ROUTER),
        among(deployments.group, names),
      ),
    );
  return new Set(rows.map((row) => row.group));
}

/** How many deployments use a credential. */
export function countUsing(db: Db, orgId: string, credentialId: string): Promise<number> {
  return db.$count(
    deployments,
    and(eq(deployments.orgId, orgId), eq(deployments.credentialId, credentialId)),
  );
}

/** What the path needs of a deployment. */
export function deploymentRecord(row: DeploymentRow): Deployment {
  return {
    id: row.id,
    group: row.group,
    provider: row.provider,
    model: row.model,
    protocol: row.protocol,
    baseUrl: row.baseUrl,
    params: paramsIn(row.litellmParams),
    credentialId: row.credentialId ?? undefined,
    region: row.region ?? undefined,
    weight: row.weight,
    order: row.order,
    ...limitsOf(row.litellmParams),
    tags: row.tags,
    timeout: row.timeoutMs ?? undefined,
    // The column's default says nothing at all.
    facts: { ...row.facts, capabilities: row.facts.capabilities ?? {} },
    terms: termsIn(row.modelInfo),
  };
}

/** What was said of the provider's handling of data, under `retention_days` and `training`. */
function termsIn(info: JsonObject): Deployment["terms"] {
  const { retention_days: days, training } = info;
  if (typeof days !== "number" && typeof training !== "boolean") return undefined;
  return {
    ...(typeof days === "number" && { retentionDays: days }),
    ...(typeof training === "boolean" && { training }),
  };
}

/** The limits that the deployment was added with, where they are numbers. */
function limitsOf(params: JsonObject): Pick<Deployment, "rpm" | "tpm"> {
  const { rpm, tpm } = params;
  return {
    ...(typeof rpm === "number" && { rpm }),
    ...(typeof tpm === "number" && { tpm }),
  };
}

/** The parameters of the address among what was said of a deployment; undefined for none. */
function paramsIn(said: JsonObject): Deployment["params"] {
  const params: Record<string, string> = {};
  for (const name of DEPLOYMENT_PARAMS) {
    const value = said[name];
    if (typeof value === "string") params[name] = value;
  }
  return Object.keys(params).length > 0 ? params : undefined;
}
