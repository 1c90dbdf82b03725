// The first organization, team, user and key, made through the public admin API with the master key.
// Every step may have been done before: repeated after a crash, it goes on where it stopped.

import { ask, Refused, type Gateway } from "./gateway.ts";

/** Where to and as whom. */
export interface BootstrapOptions {
  /** The gateway's address. */
  url: string;
  masterKey: string;
  /** Alias of the key; the first one that is not taken is used. */
  keyAliases?: string[];
}

/** What there is after a bootstrap. `key` is the plain key, shown this once; null = its alias was taken. */
export interface Bootstrapped {
  organization: string;
  team: string;
  user: string;
  key: string | null;
}

const organization = "default";
const team = "default";
const user = "admin";

/** Makes what is missing. An existing thing of the same name is left as it is. Throws `Refused` and `Unreachable`. */
export async function bootstrap(options: BootstrapOptions): Promise<Bootstrapped> {
  const { url, masterKey, keyAliases = ["first-key"] } = options;
  const call = (path: string, body: object) => post({ url, key: masterKey }, path, body);
  const founded = await call("/organization/new", {
    organization_id: organization,
    organization_alias: organization,
  });
  await call("/user/new", {
    organization_id: organization,
    user_id: user,
    user_alias: user,
    user_role: "org_admin",
    auto_create_key: false,
  });
  // A new organization begins with this team; in one that was there it may be missing.
  if (founded === null)
    await call("/team/new", { organization_id: organization, team_alias: team });
  for (const key_alias of keyAliases) {
    const made = await call("/key/generate", {
      organization_id: organization,
      team_id: team,
      user_id: user,
      key_alias,
    });
    if (made === null) continue;
    if (typeof made.key !== "string") throw new Error("/key/generate answered no key");
    return { organization, team, user, key: made.key };
  }
  return { organization, team, user, key: null };
}

/** The answer's object; null when it exists already (409). */
async function post(
  gateway: Gateway,
  path: string,
  body: object,
): Promise<Record<string, unknown> | null> {
  try {
    return JSON.parse(await ask(gateway, "POST", path, body)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof Refused && error.status === 409) return null;
    throw error;
  }
}
