import type { Operation } from "../operation.ts";
import { CHANGED_KEYS } from "./key-changes.ts";
import { KEYS } from "./keys.ts";
import { MODELS } from "./models.ts";
import { ORGANIZATIONS } from "./organizations.ts";
import { ROTATION } from "./rotation.ts";
import { TEAMS } from "./teams.ts";
import { TOKENS } from "./tokens.ts";
import { USERS } from "./users.ts";

/** Every admin operation. HTTP, OpenAPI, the documents and the tests are made of this list. */
export const OPERATIONS: readonly Operation[] = [
  ...ORGANIZATIONS,
  ...TEAMS,
  ...USERS,
  ...KEYS,
  ...CHANGED_KEYS,
  ...TOKENS,
  ...MODELS,
  ...ROTATION,
];
