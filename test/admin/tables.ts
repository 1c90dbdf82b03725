import type { JsonObject } from "../../worker/core/json.ts";
import type { Role } from "../../worker/core/principal.ts";

/** What every world begins with, besides the teams `t` and `elsewhere`. */
export const SEEDS: readonly [path: string, input: JsonObject][] = [
  ["/user/new", { user_id: "eve", auto_create_key: false }],
];

/** Operations that are done with the key of the user `ada`, since the master key is nobody's. */
export const PERSONAL: ReadonlySet<string> = new Set([]);

/** A fitting input of each operation, in a world with a team `t`, a user `ada`. */
export const INPUTS: Record<string, Record<string, unknown>> = {
  "organization.new": { organization_alias: "other" },
  "organization.list": {},
  "organization.info": {},
  "team.new": { team_alias: "new" },
  "team.list": {},
  "team.info": { team_id: "t" },
  "team.update": { team_id: "t", models: ["gpt-4o"], max_budget: 5 },
  "team.delete": { team_ids: ["t"] },
  "team.block": { team_id: "t" },
  "team.unblock": { team_id: "t" },
  "team.member_add": { team_id: "t", member: { user_id: "eve", role: "user" } },
  "team.member_update": { team_id: "t", user_id: "ada", role: "admin" },
  "team.member_delete": { team_id: "t", user_id: "ada" },
  "user.new": { user_id: "new", user_role: "internal_user_viewer" },
  "user.list": {},
  "user.info": { user_id: "ada" },
  "user.update": { user_id: "ada", user_alias: "Ada" },
  "user.delete": { user_ids: ["ada"] },
  "key.generate": { team_id: "t" },
  "key.list": {},
  "key.info": { key: "of-ada" },
  "key.token": { key: "of-ada" },
  "key_encryption.rotate": {},
  "key_encryption.status": {},
  "key.update": { key: "of-ada", models: ["gpt-4o"] },
  "key.delete": { key: "of-ada" },
  "key.regenerate": { key: "of-ada", grace_period: "1h" },
  "key.block": { key: "of-ada" },
  "key.unblock": { key: "of-ada" },
  "key.aliases": {},
  "model.new": {
    model_name: "m",
    litellm_params: { model: "openai/gpt-4o", api_key: "sk-up-1234567890abcd" },
  },
  "model.info": {},
  "model.groups": {},
};

type Statuses = Partial<Record<Role, number>>;
const CHANGES_KEY: Statuses = { platform_admin: 200, admin: 200, team_admin: 404, developer: 404 };

const ADMINS: Statuses = { platform_admin: 200, admin: 200 };
const MANAGES_MEMBERS: Statuses = { ...ADMINS, team_admin: 404 };

// Who gets what, written down by hand from the table of roles. Team and key `of-ada` are the caller's own in column
// `own`; 200 done, 403 not for this role, 404 not to be seen.
export const EXPECTED: Record<string, Statuses> = {
  "organization.new": { platform_admin: 200 },
  "organization.list": { platform_admin: 200, admin: 200, auditor: 200, finance: 200 },
  "organization.info": { platform_admin: 200, admin: 200, auditor: 200, finance: 200 },
  "team.new": { platform_admin: 200, admin: 200 },
  "team.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    member: 200,
  },
  "team.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 200,
    member: 404,
  },
  "team.update": { platform_admin: 200, admin: 200, team_admin: 404 },
  "team.delete": ADMINS,
  "team.block": ADMINS,
  "team.unblock": ADMINS,
  "team.member_add": MANAGES_MEMBERS,
  "team.member_update": MANAGES_MEMBERS,
  "team.member_delete": MANAGES_MEMBERS,
  "user.new": { platform_admin: 200, admin: 200 },
  "user.update": ADMINS,
  "user.delete": ADMINS,
  "user.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    viewer: 200,
    member: 200,
  },
  "user.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 404,
    viewer: 404,
    member: 404,
  },
  "key.generate": { platform_admin: 200, admin: 200, team_admin: 404, developer: 404 },
  "key.list": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    viewer: 200,
    member: 200,
  },
  "key.info": {
    platform_admin: 200,
    admin: 200,
    team_admin: 404,
    developer: 404,
    auditor: 200,
    finance: 200,
    viewer: 404,
    member: 404,
  },
  // One key never speaks for another, whatever its role.
  "key.token": { platform_admin: 404, admin: 404, team_admin: 404, developer: 404, member: 404 },
  "key_encryption.rotate": { platform_admin: 200 },
  "key_encryption.status": { platform_admin: 200, admin: 200 },
  "key.update": CHANGES_KEY,
  "key.delete": CHANGES_KEY,
  "key.regenerate": CHANGES_KEY,
  "key.block": CHANGES_KEY,
  "key.unblock": CHANGES_KEY,
  "key.aliases": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
    finance: 200,
    viewer: 200,
    member: 200,
  },
  "model.new": { platform_admin: 200, admin: 200 },
  "model.info": { platform_admin: 200, admin: 200, team_admin: 200, developer: 200, auditor: 200 },
  "model.groups": {
    platform_admin: 200,
    admin: 200,
    team_admin: 200,
    developer: 200,
    auditor: 200,
  },
};
/** The same for callers whose own team is `t` and who are ada. */
export const OWN: Record<string, Statuses> = {
  "team.info": { team_admin: 200, developer: 200, member: 200 },
  "user.info": { team_admin: 200, developer: 200, finance: 200, viewer: 200, member: 200 },
  "key.generate": { team_admin: 200, developer: 200 },
  "key.info": { team_admin: 200, developer: 200, viewer: 200, member: 200 },
  "team.update": { team_admin: 200 },
  "team.member_add": { team_admin: 200 },
  "team.member_update": { team_admin: 200 },
  "team.member_delete": { team_admin: 200 },
  "key.update": { team_admin: 200, developer: 200 },
  "key.delete": { team_admin: 200, developer: 200 },
  "key.regenerate": { team_admin: 200, developer: 200 },
  "key.block": { team_admin: 200, developer: 403 },
  "key.unblock": { team_admin: 200, developer: 403 },
  "key.token": { platform_admin: 200, admin: 200, team_admin: 200, developer: 200, member: 200 },
};
