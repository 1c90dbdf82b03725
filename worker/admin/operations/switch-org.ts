import * as z from "zod";
import { GatewayError } from "../../core/errors.ts";
import { shownOrgId } from "../../core/ids.ts";
import { findOrg } from "../../store/orgs.ts";
import { updateUser } from "../../store/users.ts";
import { crossing } from "../authenticate.ts";
import { USER_ROW } from "../examples.ts";
import { reference } from "../fields.ts";
import { operation, visible } from "../operation.ts";

const switchOrg = operation({
  id: "user.switch_org",
  section: "Users",
  summary: "Choose the organization that your admin calls act in",
  notes:
    "For a user of several organizations. Later admin calls without X-Organization-Id and organization_id act in the chosen one, with the role that the user has there. Calls to models never move: a key spends in its own organization. A key crosses over only while nobody but the platform admin made or changed it.",
  http: [{ method: "POST", path: "/user/switch_org" }],
  permission: { resource: "user", action: "read" },
  event: "user.organization_switched",
  acrossOrgs: true,
  input: z.object({ organization_id: reference }),
  output: z.object({
    user_id: z.string(),
    organization_id: z.string().describe("The active organization"),
    user_role: z.string().describe("The role there"),
  }),
  example: {
    input: { organization_id: USER_ROW.organization_id },
    output: { user_id: "ada", organization_id: USER_ROW.organization_id, user_role: "admin" },
  },
  errors: ["invalid_request", "not_found"],
  missing: { what: "organization", param: "organization_id" },
  async target(ctx, input) {
    const home = (ctx.caller.home ?? ctx.caller).principal;
    const { userId } = home;
    if (userId === undefined) {
      throw new GatewayError("invalid_request", "Only the key of a user can do this.");
    }
    if (home.keyType === "read_only") {
      throw new GatewayError("forbidden", "This key may not do that: it only reads.");
    }
    const org = await findOrg(ctx.deps.db, input.organization_id);
    const there = await crossing(ctx.deps, ctx.caller, org?.id ?? "");
    const own = org?.id === home.orgId;
    if (org === null || (!own && (there === null || org.blocked))) return null;
    const role = own ? home.role : (there?.role ?? home.role);
    return { ...visible(ctx), object: { home: { ...home, userId }, org, own, role } };
  },
  async run(ctx, _, { home, org, own, role }) {
    await ctx.commit({
      orgId: home.orgId,
      statements: [updateUser(home.orgId, home.userId, { activeOrgId: own ? null : org.id })],
      touches: [`user:${home.userId}`],
      events: [
        {
          type: "user.organization_switched",
          objectId: home.userId,
          after: { active_organization_id: shownOrgId(org.id) },
          data: { organization_id: shownOrgId(org.id) },
        },
      ],
    });
    return { user_id: home.userId, organization_id: shownOrgId(org.id), user_role: role };
  },
});

export const SWITCH_ORG = [switchOrg];
