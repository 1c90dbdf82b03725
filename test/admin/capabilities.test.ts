import { expect, it } from "vitest";
import { MASTER, openWorld } from "./world.ts";

it("a capability that does not exist is refused by name wherever it is asked for, and none is taken for none", async () => {
  const world = openWorld();
  await world.make("/organization/new", { organization_alias: "acme" });
  await world.make("/team/new", { team_id: "t" });
  await world.make("/key/generate", { key_alias: "k" });
  const model = { model_name: "m", litellm_params: { model: "sim/echo" } };
  await world.make("/model/new", { ...model, model_info: { id: "d" } });
  const asked: [path: string, input: object, field: "policy_id" | "guardrails"][] = [
    ["/team/new", { team_alias: "x" }, "guardrails"],
    ["/team/update", { team_id: "t" }, "guardrails"],
    ["/key/generate", {}, "guardrails"],
    ["/key/update", { key: "k" }, "guardrails"],
    ["/key/generate", {}, "policy_id"],
    ["/key/update", { key: "k" }, "policy_id"],
    ["/key/regenerate", { key: "k" }, "policy_id"],
    ["/user/new", {}, "guardrails"],
    ["/model/new", model, "policy_id"],
    ["/model/update", { model_id: "d" }, "policy_id"],
  ];
  for (const [path, input, field] of asked) {
    const [value, param] = field === "guardrails" ? [["pii"], "guardrails[0]"] : ["b", field];
    const before = world.rows();
    const refused = await world.call(MASTER, "POST", path, { ...input, [field]: value });
    expect(refused, path).toMatchObject({
      status: 404,
      body: { error: { code: "feature_not_found", param } },
    });
    expect(world.rows()).toBe(before);
    const none = field === "guardrails" ? [] : null;
    const done = await world.call(MASTER, "POST", path, { ...input, [field]: none });
    expect(done.status, path).toBe(200);
    expect(done.headers["x-routero-ignored-fields"]).toBeUndefined();
  }
});

it("a user is made in the organization of the call and in no other that is named", async () => {
  const world = openWorld();
  for (const name of ["a", "b"]) {
    await world.make("/organization/new", {
      organization_alias: name,
      organization_id: `of-${name}`,
    });
  }
  const make = (organizations: string[]) =>
    world.call(MASTER, "POST", "/user/new", { organization_id: "of-b", organizations });
  expect((await make(["of-b"])).status).toBe(200);
  for (const name of ["of-a", "of-nobody"]) {
    expect(await make(["of-b", name])).toMatchObject({
      status: 404,
      body: { error: { param: "organizations[1]" } },
    });
  }
});

it("members that mean nothing here are named in a header, inside of others too, and not kept", async () => {
  const world = openWorld();
  await world.make("/organization/new", { organization_alias: "acme" });
  const params = { model: "sim/echo", weight: 2, rpm: null };
  const made = await world.call(MASTER, "POST", "/model/new", {
    model_name: "m",
    litellm_params: { ...params, stream_timeout: 5, "no name": 1 },
    model_info: { max_input_tokens: 9, cutoff: "2024" },
    colour: "red",
  });
  expect(made.headers["x-routero-ignored-fields"]).toBe(
    "litellm_params.stream_timeout, model_info.cutoff, colour",
  );
  expect(made.body).not.toMatchObject({ litellm_params: { stream_timeout: 5 } });
  const plain = { model_name: "m", litellm_params: params };
  const none = await world.call(MASTER, "POST", "/model/new", plain);
  expect(none.headers["x-routero-ignored-fields"]).toBeUndefined();
});
