import { describe, expect, it } from "vitest";
import { MASTER, openWorld, type Answer } from "./world.ts";

/** What a stranger can see of an answer; ids of the request itself aside. */
function seen({ status, body, headers }: Answer) {
  const { "x-routero-call-id": _, "x-request-id": __, ...rest } = headers;
  return { status, body, headers: rest };
}

async function twoOrgs() {
  const world = openWorld();
  const orgs = [];
  for (const name of ["a", "b"]) {
    const org = await world.make("/organization/new", {
      organization_alias: name,
      organization_id: `chosen-${name}`,
    });
    const organization_id = org["organization_id"] ?? "";
    const input = { organization_id };
    await world.make("/team/new", {
      ...input,
      team_id: `team-${name}`,
      team_alias: `alias-${name}`,
    });
    const user = await world.make("/user/new", {
      ...input,
      user_id: `user-${name}`,
      user_email: `${name}@example.com`,
      user_role: "org_admin",
    });
    const key = await world.make("/key/generate", {
      ...input,
      key_alias: `key-${name}`,
      team_id: `team-${name}`,
    });
    const model = await world.make("/model/new", {
      ...input,
      model_name: `model-${name}`,
      litellm_params: { model: "sim/echo" },
    });
    orgs.push({ organization_id, admin: user["key"] ?? "", key, model: model["model_id"] ?? "" });
  }
  return { world, a: orgs[0]!, b: orgs[1]! };
}

describe("an object of another organization", () => {
  it("answers exactly as one that does not exist: status, body and headers, for every way to name it", async () => {
    const { world, a, b } = await twoOrgs();
    const never = "sk-rt-" + "x".repeat(82);
    const pairs: [string, string, unknown, string, unknown][] = [
      [
        "GET",
        "/organization/info?organization_id=chosen-b",
        undefined,
        "/organization/info?organization_id=chosen-z",
        undefined,
      ],
      ["GET", "/team/info?team_id=team-b", undefined, "/team/info?team_id=team-z", undefined],
      ["GET", "/team/info?team_id=alias-b", undefined, "/team/info?team_id=alias-z", undefined],
      ["GET", "/user/info?user_id=user-b", undefined, "/user/info?user_id=user-z", undefined],
      [
        "GET",
        "/user/info?user_id=b@example.com",
        undefined,
        "/user/info?user_id=z@example.com",
        undefined,
      ],
      ["GET", "/key/info?key=key-b", undefined, "/key/info?key=key-z", undefined],
      ["GET", `/key/info?key=${b.key["key"]}`, undefined, `/key/info?key=${never}`, undefined],
      [
        "GET",
        `/key/info?key_hash=${b.key["token"]}`,
        undefined,
        "/key/info?key_hash=sha256:00",
        undefined,
      ],
      ["GET", "/key/list?team_id=team-b", undefined, "/key/list?team_id=team-z", undefined],
      ["GET", "/key/list?user_id=user-b", undefined, "/key/list?user_id=user-z", undefined],
      ["GET", "/team/list?user_id=user-b", undefined, "/team/list?user_id=user-z", undefined],
      [
        "GET",
        `/model/info?litellm_model_id=${b.model}`,
        undefined,
        "/model/info?litellm_model_id=none",
        undefined,
      ],
      [
        "GET",
        "/model_group/info?model_group=model-b",
        undefined,
        "/model_group/info?model_group=model-z",
        undefined,
      ],
      ["POST", "/key/generate", { team_id: "team-b" }, "/key/generate", { team_id: "team-z" }],
      ["POST", "/key/generate", { user_id: "user-b" }, "/key/generate", { user_id: "user-z" }],
      ["POST", "/user/new", { teams: ["team-b"] }, "/user/new", { teams: ["team-z"] }],
      [
        "POST",
        "/team/new",
        { team_alias: "n", members_with_roles: [{ user_id: "user-b" }] },
        "/team/new",
        { team_alias: "n", members_with_roles: [{ user_id: "user-z" }] },
      ],
    ];
    const rows = world.rows();
    for (const [method, foreign, foreignBody, missing, missingBody] of pairs) {
      const answer = seen(await world.call(a.admin, method, foreign, foreignBody));
      expect(answer, foreign).toEqual(
        seen(await world.call(a.admin, method, missing, missingBody)),
      );
      expect(JSON.stringify(answer), foreign).not.toMatch(/team-b|user-b|chosen-b|model-b/);
    }
    for (const path of ["/team/new", "/user/new", "/key/generate", "/model/new"]) {
      const input = { team_alias: "n", model_name: "n", litellm_params: { model: "sim/echo" } };
      const foreign = await world.call(a.admin, "POST", path, {
        ...input,
        organization_id: b.organization_id,
      });
      const missing = await world.call(a.admin, "POST", path, {
        ...input,
        organization_id: "org_gzzzzzzzzzzzz",
      });
      expect(foreign.status).toBe(404);
      expect(seen(foreign)).toEqual(seen(missing));
    }
    expect(world.rows()).toBe(rows);
  });

  it("shows in no listing", async () => {
    const { world, a } = await twoOrgs();
    for (const path of [
      "/organization/list",
      "/organization/info",
      "/team/list",
      "/user/list",
      "/key/list?return_full_object=true",
      "/model/info",
      "/model_group/info",
    ]) {
      const answer = await world.call(a.admin, "GET", path);
      expect(answer.status, path).toBe(200);
      const text = JSON.stringify(answer.body);
      expect(text, path).toMatch(/chosen-a|team-a|user-a|key-a|model-a/);
      expect(text, path).not.toMatch(/chosen-b|team-b|user-b|key-b|model-b/);
    }
  });

  it("is out of reach by header: a key stays in its organization, the master key goes where it is told", async () => {
    const { world, a, b } = await twoOrgs();
    const list = (key: string, org: string) =>
      world.call(key, "GET", "/user/list", undefined, { "x-organization-id": org });
    const foreign = await list(a.admin, b.organization_id);
    expect(foreign.status).toBe(403);
    expect(seen(foreign)).toEqual(seen(await list(a.admin, "no-such-organization")));
    for (const own of [a.organization_id, "a"]) expect((await list(a.admin, own)).status).toBe(200);
    expect(JSON.stringify((await list(MASTER, b.organization_id)).body)).toContain("user-b");
    expect(JSON.stringify((await world.call(MASTER, "GET", "/user/list")).body)).toContain(
      "user-a",
    );
    expect((await list(MASTER, "no-such-organization")).status).toBe(404);
  });
});
