import * as z from "zod";
import { usdNumber } from "../core/money.ts";
import type { TeamMemberRow } from "../store/teams.ts";
import { TEAM_ROW } from "./examples.ts";
import { memberShape } from "./rows.ts";

/** A member of a team with its limits there, as answers show it. */
export const membershipShape = memberShape.extend({
  team_id: z.string(),
  max_budget_in_team: z.number().nullable(),
  blocks_at_usd: z.number().nullable().describe("US dollars at which the member is refused"),
  tpm_limit: z.number().nullable(),
  rpm_limit: z.number().nullable(),
});

export function membershipFields(row: TeamMemberRow): z.input<typeof membershipShape> {
  return {
    user_id: row.userId,
    role: row.role,
    team_id: row.teamId,
    max_budget_in_team: row.maxBudgetNano === null ? null : usdNumber(row.maxBudgetNano),
    blocks_at_usd: row.maxBudgetNano === null ? null : usdNumber(row.maxBudgetNano),
    tpm_limit: row.tpmLimit,
    rpm_limit: row.rpmLimit,
  };
}

export const MEMBERSHIP = {
  user_id: "ada",
  role: "user",
  team_id: TEAM_ROW.team_id,
  max_budget_in_team: 20,
  blocks_at_usd: 20,
  tpm_limit: null,
  rpm_limit: null,
} satisfies z.input<typeof membershipShape>;
