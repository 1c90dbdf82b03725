import { setTimeout as wait } from "node:timers/promises";
import { makeSecrets } from "../../../scripts/secrets.ts";

/** The admin plane with the master key. */
export interface AdminClient {
  masterKey: string;
  /** The answer's body; throws an AdminError unless the status is 2xx. */
  admin<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>;
  /**
   * Adds a deployment that a provider server of the tests serves, under its own wire protocol: a call for
   * `name` then reaches `upstream` as a call for `model`. `more` goes into litellm_params.
   */
  newModel(name: string, target: ModelTarget, more?: Record<string, unknown>): Promise<unknown>;
  /** Sets router settings of an organization; effective within 5 s, at once for who was not asked yet. */
  configure(organizationId: string, routerSettings: Record<string, unknown>): Promise<unknown>;
  /** Makes an organization with a team, a user and a key; use it where `firstKey` is not enough. */
  newTenant(alias: string): Promise<Tenant>;
}

export interface ModelTarget {
  upstream: { url: string };
  /** Default: openai. */
  provider?: "openai" | "anthropic";
  /** The name the provider knows; default: the group's. */
  model?: string;
  organizationId?: string;
}

export interface Tenant {
  organizationId: string;
  teamId: string;
  userId: string;
  /** The virtual key's plain text. */
  key: string;
}

/** An admin call that was refused. */
export class AdminError extends Error {
  override name = "AdminError";
  readonly status: number;
  readonly body: unknown;
  constructor(call: string, status: number, body: unknown) {
    super(`${call}: ${status} ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
  }
}

/** What a test starts with unless it asks for none. */
export interface First {
  /** The first organization, team and user, with their key; a getter that throws where none were made. */
  tenant: Tenant;
  /** The virtual key of `tenant`. */
  firstKey: string;
}

/** Makes the first tenant, or stands for it with an error that says why it is missing. */
export async function first(client: AdminClient, wanted: boolean): Promise<First> {
  const made = wanted ? await client.newTenant("first") : undefined;
  const tenant = () => {
    if (made === undefined) throw new Error("started with tenant: false");
    return made;
  };
  return {
    get tenant() {
      return tenant();
    },
    get firstKey() {
      return tenant().key;
    },
  };
}

/** The credential that `newModel` gives: a canary that must reach the provider and no log. */
export const UPSTREAM_KEY = "sk-upstream-canary-0123456789abcdef";

const PATIENCE = 15_000;

/** Fresh secrets, cheap bcrypt, and leave to call providers on loopback. */
export function testBindings(vars: Record<string, string> = {}): Record<string, string> {
  return { ...makeSecrets(), BCRYPT_COST: "4", ALLOW_PRIVATE_UPSTREAMS: "true", ...vars };
}

export function adminClient(url: () => string, bindings: Record<string, string>): AdminClient {
  const masterKey = bindings.MASTER_KEY ?? "";
  async function admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(url() + path, {
      method,
      headers: { authorization: `Bearer ${masterKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = await answer.text();
    const value = said === "" ? null : (JSON.parse(said) as unknown);
    if (!answer.ok) throw new AdminError(`${method} ${path}`, answer.status, value);
    return value as T;
  }
  return {
    masterKey,
    admin,
    newModel(name, target, more = {}) {
      const { provider = "openai", model = name, upstream, organizationId } = target;
      const api_base = provider === "openai" ? `${upstream.url}/v1` : upstream.url;
      return admin("POST", "/model/new", {
        model_name: name,
        ...(organizationId === undefined ? {} : { organization_id: organizationId }),
        litellm_params: {
          model: `${provider}/${model}`,
          api_base,
          api_key: UPSTREAM_KEY,
          ...more,
        },
      });
    },
    configure: (organization_id, router_settings) =>
      admin("POST", "/config/update", { organization_id, router_settings }),
    async newTenant(alias) {
      type Row = Record<string, string>;
      const org = await admin<Row>("POST", "/organization/new", { organization_alias: alias });
      const organization_id = org.organization_id ?? "";
      const team = await admin<Row>("POST", "/team/new", { organization_id, team_alias: alias });
      const team_id = team.team_id ?? "";
      const user = await admin<Row>("POST", "/user/new", { organization_id, user_alias: alias });
      const user_id = user.user_id ?? "";
      const key = await admin<Row>("POST", "/key/generate", { organization_id, team_id, user_id });
      return {
        organizationId: organization_id,
        teamId: team_id,
        userId: user_id,
        key: key.key ?? "",
      };
    },
  };
}

/** Waits until `/health/readiness` answers 200. */
export async function untilReady(url: string): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE);
  let last = "no answer";
  while (!patience.aborted) {
    try {
      const answer = await fetch(`${url}/health/readiness`, { signal: patience });
      last = `${answer.status} ${(await answer.text()).slice(0, 500)}`;
      if (answer.ok) return;
    } catch (error) {
      last = String(error);
    }
    await wait(20);
  }
  throw new Error(`${url} did not become ready: ${last}`);
}
