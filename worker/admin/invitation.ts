import type { Context, Env, Hono } from "hono";
import { timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { GatewayError } from "../core/errors.ts";
import { shownOrgId } from "../core/ids.ts";
import { acceptInvitation, findInvitation, stateOf } from "../store/invitations.ts";
import { findTeam, insertTeamMember } from "../store/teams.ts";
import { insertUser, type UserRow } from "../store/users.ts";
import { answering } from "./answering.ts";
import { readInput } from "./body.ts";
import type { ChangeEvent } from "./change-record.ts";
import { AdminContext } from "./context.ts";
import { PAGE_HEADERS } from "./docs/page.ts";
import { invalidFields } from "./faults.ts";
import { alias } from "./fields.ts";
import { INVITATION_PAGE, INVITATION_SCRIPT, INVITATION_STYLE } from "./invitation-assets.ts";
import { KEY_FIELDS, newKey } from "./new-key.ts";
import { invitationFields } from "./operations/invitations.ts";
import type { AdminDeps } from "./ports.ts";
import { keyFields, limitColumns, made, userFields } from "./rows.ts";

const claim = z.object({ token: z.string().max(256), user_alias: alias.nullish() });
const wish = z.object(KEY_FIELDS);

/**
 * Mounts the page that an invitation's link opens, and the call behind it. Nobody has a key yet who comes here: the
 * token is the credential. It stands behind `#` in the link, so that no server and no log on the way sees it, and
 * opening the page uses nothing up.
 */
export function mountInvitation<E extends Env>(
  app: Hono<E>,
  depsOf: (c: Context<E>) => AdminDeps,
): void {
  const asset = (path: string, type: string, text: string, csp?: string) =>
    app.get(path, () => {
      const policy = csp === undefined ? {} : { "content-security-policy": csp };
      const headers = { ...PAGE_HEADERS, "content-type": type, ...policy };
      return new Response(text, { headers: { ...headers, "cache-control": "no-cache" } });
    });
  const csp = `${PAGE_HEADERS["content-security-policy"]}; connect-src 'self'`;
  asset("/invitation", "text/html; charset=utf-8", INVITATION_PAGE, csp);
  asset("/invitation/page.js", "text/javascript; charset=utf-8", INVITATION_SCRIPT);
  asset("/invitation/page.css", "text/css; charset=utf-8", INVITATION_STYLE);
  app.post("/invitation/claim", (c) => claimInvitation(depsOf(c), c.req.raw));
}

/** The same answer whether it never was, was used, was withdrawn or has expired. */
function closed(): GatewayError {
  return new GatewayError(
    "not_found",
    "token: this invitation is not open: it was used or withdrawn, or its 7 days are over. Ask for a new one.",
    { param: "token" },
  );
}

/** Makes a user and a first key out of an open invitation, once, in one transaction. */
function claimInvitation(deps: AdminDeps, request: Request): Promise<Response> {
  return answering(deps, request, "invitation.claim", async (call, line) => {
    const parsed = claim.safeParse(await readInput(request));
    if (!parsed.success) throw invalidFields(parsed.error, "body");
    const place = deps.invitationTokens.parse(parsed.data.token);
    const row = place && (await findInvitation(deps.db, place.orgId, place.id));
    const known =
      place && row && timingSafeEqual(Buffer.from(row.tokenHash), Buffer.from(place.hash));
    if (!known || stateOf(row, deps.now()) !== "open") throw closed();
    const { orgId } = place;
    line.org_id = shownOrgId(orgId);
    const { org } = await deps.directory.openOrg(orgId);
    const team = row.teamId === null ? null : await findTeam(deps.db, orgId, row.teamId);
    if (org.blocked || (row.teamId !== null && team?.id !== row.teamId)) throw closed();

    const user: UserRow = {
      orgId,
      id: crypto.randomUUID(),
      email: row.email,
      alias: parsed.data.user_alias ?? null,
      role: row.role,
      active: true,
      personId: null,
      activeOrgId: null,
      models: [],
      metadata: {},
      budgetResetAt: null,
      ...limitColumns({}),
      ...made(`invitation:${row.id}`, call.receivedAt),
    };
    const principal = {
      kind: "service",
      orgId,
      userId: user.id,
      keyType: "default",
      role: row.role,
    } as const;
    const caller = { principal, identity: null, at: call.receivedAt, requestId: call.requestId };
    const ctx = new AdminContext(deps, caller, new URL(request.url).origin);
    line.actor = ctx.actor;
    const key = await newKey(ctx, wish.parse({}), { team, user });
    const accepted = { ...row, acceptedAt: ctx.now, userId: user.id };
    const events: ChangeEvent[] = [
      {
        type: "invitation.accepted",
        objectId: row.id,
        teamId: team?.id,
        before: invitationFields(row, ctx.now),
        after: invitationFields(accepted, ctx.now),
      },
      { type: "user.created", objectId: user.id, after: userFields(user) },
      {
        type: "key.created",
        objectId: key.row.handle,
        teamId: team?.id,
        after: keyFields(key.row),
      },
    ];
    const mark = { by: ctx.actor, at: ctx.now, userId: user.id };
    const member = team && {
      teamId: team.id,
      userId: user.id,
      role: row.teamRole ?? ("user" as const),
      createdAt: ctx.now,
    };
    await ctx
      .commit({
        statements: [
          ...acceptInvitation(orgId, row.id, mark),
          insertUser(orgId, user),
          ...(member ? [insertTeamMember(orgId, member)] : []),
          key.statement,
        ],
        touches: [`user:${user.id}`, `key:${key.row.id}`],
        events,
      })
      .catch((cause: unknown) => {
        const used = cause instanceof GatewayError && cause.detail.param === "token";
        throw used ? closed() : cause;
      });
    const shown = keyFields(key.row);
    const body = {
      ...userFields(user),
      teams: team ? [team.id] : [],
      key: key.token,
      token: shown.token,
      key_name: shown.key_name,
      base_url: `${ctx.origin}/v1`,
    };
    return { status: 200, body, headers: {} };
  });
}
