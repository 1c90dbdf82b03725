import type { Operation } from "../operation.ts";
import { BYOK } from "./byok.ts";
import { CREDENTIALS } from "./credentials.ts";
import { CUSTOMERS } from "./customers.ts";
import { CHANGED_KEYS } from "./key-changes.ts";
import { KEYS } from "./keys.ts";
import { CHANGED_MODELS } from "./model-changes.ts";
import { MODELS } from "./models.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { ROTATION } from "./rotation.ts";
import { CHANGED_TEAMS } from "./team-changes.ts";
import { TEAM_MEMBERS } from "./team-members.ts";
import { TEAMS } from "./teams.ts";
import { TOKENS } from "./tokens.ts";
import { CHANGED_USERS } from "./user-changes.ts";
import { USERS } from "./users.ts";

/** Every admin operation. HTTP, OpenAPI, the documents and the tests are made of this list. */
export const OPERATIONS: readonly Operation[] = [
  ...ORGANIZATIONS,
  ...TEAMS,
  ...CHANGED_TEAMS,
  ...TEAM_MEMBERS,
  ...USERS,
  ...CHANGED_USERS,
  ...CUSTOMERS,
  ...KEYS,
  ...CHANGED_KEYS,
  ...TOKENS,
  ...MODELS,
  ...CHANGED_MODELS,
  ...CREDENTIALS,
  ...BYOK,
  ...ROTATION,
];
