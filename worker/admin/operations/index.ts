import type { Operation } from "../operation.ts";
import { AUDIT_LOG } from "./audit-log.ts";
import { AUDIT_PROOFS } from "./audit-proofs.ts";
import { AUDIT_WITNESS } from "./audit-witness.ts";
import { BUDGETS } from "./budgets.ts";
import { BYOK } from "./byok.ts";
import { CONFIG } from "./config.ts";
import { CREDENTIALS } from "./credentials.ts";
import { BLOCKED_CUSTOMERS } from "./customer-blocks.ts";
import { CUSTOMERS } from "./customers.ts";
import { FALLBACKS } from "./fallbacks.ts";
import { HEALTH } from "./health.ts";
import { INVITATIONS } from "./invitations.ts";
import { CHANGED_KEYS } from "./key-changes.ts";
import { KEYS } from "./keys.ts";
import { CHANGED_MODELS } from "./model-changes.ts";
import { DAILY_ACTIVITY } from "./daily-activity.ts";
import { MODELS } from "./models.ts";
import { CHANGED_ORGANIZATIONS } from "./organization-changes.ts";
import { ORGANIZATION_MEMBERS } from "./organization-members.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { POLICIES } from "./policies.ts";
import { POLICY_DECISIONS } from "./policy-decisions.ts";
import { ROTATION } from "./rotation.ts";
import { SMART_LEARNING } from "./smart-learning.ts";
import { SWITCH_ORG } from "./switch-org.ts";
import { CHANGED_TEAMS } from "./team-changes.ts";
import { TEAM_MEMBERS } from "./team-members.ts";
import { TEAMS } from "./teams.ts";
import { TOKENS } from "./tokens.ts";
import { CHANGED_USERS } from "./user-changes.ts";
import { USERS } from "./users.ts";
import { WEBHOOKS } from "./webhooks.ts";

/** Every admin operation. HTTP, OpenAPI, the documents and the tests are made of this list. */
export const OPERATIONS: readonly Operation[] = [
  ...ORGANIZATIONS,
  ...CHANGED_ORGANIZATIONS,
  ...ORGANIZATION_MEMBERS,
  ...TEAMS,
  ...CHANGED_TEAMS,
  ...TEAM_MEMBERS,
  ...USERS,
  ...CHANGED_USERS,
  ...SWITCH_ORG,
  ...INVITATIONS,
  ...CUSTOMERS,
  ...BLOCKED_CUSTOMERS,
  ...BUDGETS,
  ...DAILY_ACTIVITY,
  ...KEYS,
  ...CHANGED_KEYS,
  ...TOKENS,
  ...MODELS,
  ...CHANGED_MODELS,
  ...CONFIG,
  ...SMART_LEARNING,
  ...WEBHOOKS,
  ...FALLBACKS,
  ...HEALTH,
  ...CREDENTIALS,
  ...BYOK,
  ...ROTATION,
  ...POLICIES,
  ...AUDIT_LOG,
  ...AUDIT_PROOFS,
  ...AUDIT_WITNESS,
  ...POLICY_DECISIONS,
];
