import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allows } from "../../worker/providers/resolve.ts";
import { addressAllowed } from "../../worker/policy/authz/addresses.ts";
import { openWorld } from "./world.ts";

const NOW = Date.UTC(2026, 10, 21);
const MODELS = ["gpt-4o", "gpt-4o-mini", "openai/o3", "openai/gpt-4o", "claude"];
const ENTRIES = [...MODELS, "*", "openai/*", "gpt-*"];
const lists = fc.subarray(ENTRIES, { maxLength: 3 });
const BLOCKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.0.0/16", "2001:db8::/32"];
const ADDRESSES = ["10.0.0.1", "10.1.0.1", "10.1.2.3", "192.168.1.1", "2001:db8::1", "8.8.8.8"];

interface Row {
  models: string[];
  aliases: Record<string, string>;
  allowed_ips: string[];
  expires: string | null;
}

describe("a key made or changed by a key", () => {
  it("is never wider than its maker in models, aliases, addresses and lifetime", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          org: lists,
          makerTeam: lists,
          otherTeam: lists,
          maker: lists,
          child: lists,
          aliasTo: fc.option(fc.constantFrom(...MODELS), { nil: null }),
          makerIps: fc.subarray(BLOCKS, { maxLength: 2 }),
          childIps: fc.subarray(BLOCKS, { maxLength: 2 }),
          makerLife: fc.constantFrom(null, "1h", "30d"),
          childLife: fc.constantFrom(null, "30m", "2d", "1mo"),
          team: fc.constantFrom(null, "mine", "other"),
          role: fc.constantFrom("org_admin", "internal_user", "team_admin"),
          makerInTeam: fc.boolean(),
          by: fc.constantFrom("/key/generate", "/key/update", "/key/regenerate"),
        }),
        async (is) => {
          const world = openWorld(() => NOW);
          await world.make("/organization/new", { organization_alias: "acme", models: is.org });
          await world.make("/team/new", { team_alias: "mine", models: is.makerTeam });
          await world.make("/team/new", { team_alias: "other", models: is.otherTeam });
          await world.make("/user/new", {
            user_id: "maker",
            user_role: is.role,
            teams: ["mine", "other"],
            auto_create_key: false,
          });
          const address = ADDRESSES.find((each) => addressAllowed(is.makerIps, each)) ?? null;
          world.deps.addressOf = () => address;
          const maker = await world.make("/key/generate", {
            user_id: "maker",
            models: is.maker,
            allowed_ips: is.makerIps,
            duration: is.makerLife,
            ...(is.makerInTeam && { team_id: "mine" }),
          });
          // What is changed was made by the master key: as wide as can be.
          const wide =
            is.by === "/key/generate"
              ? null
              : await world.make("/key/generate", { user_id: "maker" });
          const answer = await world.call(maker["key"] ?? null, "POST", is.by, {
            ...(wide && { key: wide["token"] }),
            models: is.child,
            allowed_ips: is.childIps,
            duration: is.childLife,
            team_id: is.team,
            aliases: is.aliasTo === null ? {} : { mini: is.aliasTo },
          });
          expect([200, 403, 404]).toContain(answer.status);
          if (answer.status !== 200) return;
          const row = answer.body as unknown as Row & { team_id: string | null };
          const teamIds = await Promise.all(
            ["mine", "other"].map(async (name) => {
              const info = await world.call(
                maker["key"] ?? null,
                "GET",
                `/team/info?team_id=${name}`,
              );
              return [
                String(info.body["team_id"]),
                name === "mine" ? is.makerTeam : is.otherTeam,
              ] as const;
            }),
          );
          const childTeam = new Map(teamIds).get(row.team_id ?? "") ?? [];
          const makerLists = [is.maker, is.makerInTeam ? is.makerTeam : [], is.org];
          const childLists = [row.models, childTeam, is.org];
          const may = (all: string[][], model: string) => all.every((list) => allows(list, model));
          for (const model of MODELS) {
            if (may(childLists, model)) expect(may(makerLists, model), model).toBe(true);
          }
          for (const target of Object.values(row.aliases))
            expect(may(makerLists, target)).toBe(true);
          for (const each of ADDRESSES) {
            if (addressAllowed(row.allowed_ips, each))
              expect(addressAllowed(is.makerIps, each)).toBe(true);
          }
          const end = (expires: string | null | undefined) =>
            expires == null ? Infinity : Date.parse(expires);
          expect(end(row.expires)).toBeLessThanOrEqual(end(maker["expires"]));
        },
      ),
      { numRuns: 120 },
    );
  }, 60_000);

  it("takes the maker's team list along when it leaves that team", async () => {
    const world = openWorld();
    await world.make("/organization/new", { organization_alias: "acme" });
    await world.make("/team/new", { team_alias: "narrow", models: ["gpt-*", "claude"] });
    await world.make("/team/new", { team_alias: "wide" });
    await world.make("/user/new", { user_id: "boss", user_role: "org_admin" });
    const maker = await world.make("/key/generate", {
      user_id: "boss",
      team_id: "narrow",
      models: ["gpt-4o", "openai/*"],
    });
    const child = (team_id?: string) =>
      world.call(maker["key"] ?? null, "POST", "/key/generate", { team_id });
    expect((await child("wide")).body).toMatchObject({ models: ["gpt-4o"] });
    expect((await child()).body).toMatchObject({ models: ["gpt-4o"] });
    expect((await child("narrow")).body).toMatchObject({ models: ["gpt-4o", "openai/*"] });
  });

  it("carries no role above its maker's, whoever it is for", async () => {
    const world = openWorld();
    await world.make("/organization/new", { organization_alias: "acme" });
    await world.make("/team/new", { team_id: "t", team_alias: "t" });
    const lead = await world.make("/user/new", {
      user_id: "lead",
      user_role: "team_admin",
      teams: ["t"],
    });
    await world.make("/user/new", { user_id: "boss", user_role: "org_admin", teams: ["t"] });
    await world.make("/user/new", { user_id: "dev", user_role: "internal_user", teams: ["t"] });
    await world.make("/user/new", { user_id: "peer", user_role: "member", teams: ["t"] });
    await world.make("/user/new", { user_id: "stranger", user_role: "member" });
    const make = (user_id: string) =>
      world.call(lead["key"] ?? null, "POST", "/key/generate", { user_id });
    expect((await make("boss")).status).toBe(403);
    expect((await make("peer")).status).toBe(200);
    expect((await make("stranger")).status).toBe(404);
    const boss = await world.make("/key/generate", { user_id: "boss" });
    const upward = { user_id: "king", user_role: "proxy_admin" };
    expect((await world.call(boss["key"] ?? null, "POST", "/user/new", upward)).status).toBe(403);
    expect(
      (await world.call(boss["key"] ?? null, "POST", "/key/generate", { user_id: "lead" })).status,
    ).toBe(200);
  });
});
