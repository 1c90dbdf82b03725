import * as z from "zod";
import { shownOrgId } from "../../core/ids.ts";
import { learningSettings, type Tally } from "../../core/learning.ts";
import { ORG } from "../fields.ts";
import { notFound, operation } from "../operation.ts";
import { routedOrg } from "./config.ts";

const record = z.object({
  good: z.number().describe("Weighed successes, older ones worth less"),
  bad: z.number().describe("Weighed failures"),
});

const recordOf = ({ good, bad }: Tally) => ({
  good: Number(good.toFixed(2)),
  bad: Number(bad.toFixed(2)),
});

const info = operation({
  id: "smart_learning.info",
  section: "Router",
  summary: "What the smart router has learned, and the versions that it can go back to",
  notes:
    "Learning is on where metadata.smart_learning of the organization says so. Kept are the newest hundred versions, the last of each hour for a week and of each day for 90 days, and what somebody decides by.",
  http: [{ method: "GET", path: "/smart/learning" }],
  permission: { resource: "model", action: "read" },
  event: null,
  input: z.object({ ...ORG }),
  output: z.object({
    enabled: z.boolean(),
    exploration: z.number().describe("Share of conversations that may begin at another able model"),
    pinned_version: z.number().nullable().describe("What is decided by; null = the newest"),
    version: z.number().describe("The newest; 0 = nothing is learned yet"),
    groups: z.record(z.string(), record.extend({ tasks: z.record(z.string(), record) })),
    versions: z.array(z.object({ version: z.number(), created_at: z.string() })),
  }),
  example: {
    input: {},
    output: {
      enabled: true,
      exploration: 0.05,
      pinned_version: null,
      version: 41,
      groups: { "claude-sonnet": { good: 87.5, bad: 12.5, tasks: { code: { good: 60, bad: 4 } } } },
      versions: [{ version: 41, created_at: "2026-11-26T12:00:00.000Z" }],
    },
  },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_id" },
  target: routedOrg,
  async run(ctx, _, org) {
    const object = ctx.deps.learningObject(ctx.orgId);
    const versions = await object.versions();
    const learned = await object.snapshot(null);
    const settings = learningSettings(org.metadata);
    return {
      enabled: settings !== null,
      exploration: settings?.exploration ?? 0,
      pinned_version: settings?.version ?? null,
      version: learned?.version ?? 0,
      groups: Object.fromEntries(
        Object.entries(learned?.arms ?? {}).map(([group, { all, tasks }]) => [
          group,
          {
            ...recordOf(all),
            tasks: Object.fromEntries(
              Object.entries(tasks).map(([task, tally]) => [task, recordOf(tally)]),
            ),
          },
        ]),
      ),
      versions: versions.map(({ version, at }) => ({
        version,
        created_at: new Date(at).toISOString(),
      })),
    };
  },
});

const revert = operation({
  id: "smart_learning.revert",
  section: "Router",
  summary: "Take back what the smart router has learned since a version",
  notes:
    "Makes a new version that knows what the named one did, and learns on from there; 0 forgets everything. The versions between stay and can be gone back to. Effective everywhere within seconds. To decide by a version without learning on, set metadata.smart_learning.version of the organization.",
  http: [{ method: "POST", path: "/smart/learning/revert" }],
  permission: { resource: "model", action: "write" },
  event: "config.updated",
  input: z.object({ ...ORG, version: z.int().min(0, "Must not be negative") }),
  output: z.object({ version: z.number().describe("The new version"), as: z.number() }),
  example: { input: { version: 38 }, output: { version: 42, as: 38 } },
  errors: ["not_found"],
  missing: { what: "organization", param: "organization_id" },
  target: routedOrg,
  async run(ctx, { version: past }) {
    const object = ctx.deps.learningObject(ctx.orgId);
    const known = past === 0 || (await object.snapshot(past)) !== null;
    if (!known) throw notFound("version of what was learned", "version");
    const before = (await object.snapshot(null))?.version ?? 0;
    await ctx.commit({
      statements: [],
      touches: [],
      events: [
        {
          type: "config.updated",
          objectId: shownOrgId(ctx.orgId),
          before: { smart_learning: before },
          after: { smart_learning: past },
          data: { fields: ["smart_learning"] },
        },
      ],
    });
    // On record first: nothing is taken back that no record tells of.
    const version = await object.revert(past);
    if (version === null) throw notFound("version of what was learned", "version");
    return { version, as: past };
  },
});

export const SMART_LEARNING = [info, revert];
