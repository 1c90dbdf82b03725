import * as z from "zod";
import { readCheckpoint } from "../../core/sealed-log/checkpoint.ts";
import { cosignatureLines, readCosignature } from "../../core/sealed-log/cosignature.ts";
import { checkpointName, cosignatureName, keyFile, keyName } from "../../core/sealed-log/layout.ts";
import { keyIdOf } from "../../core/sealed-log/note.ts";
import { invalidField } from "../faults.ts";
import { ORG } from "../fields.ts";
import { inOrg, notFound, operation } from "../operation.ts";
import { note } from "./audit-proofs.ts";

const LINE = "— witness.example/w1 0Wq6Y4AAAABnQ…=\n";

/** Takes cosignatures of the witnesses that the gateway is configured with, and keeps them beside the checkpoint. */
const witness = operation({
  id: "audit_log.witness",
  section: "Audit",
  summary: "Keep a witness's cosignature beside a checkpoint",
  notes:
    "`cosignatures` is what a witness answers (C2SP tlog-witness): one signature line each, or the whole cosigned checkpoint. Lines of keys that `AUDIT_WITNESSES` does not name are passed over and counted as `ignored`; a wrong one of a key that it names is refused. A witness's first cosignature of a checkpoint stays. `routero audit verify --witness KEY` checks them.",
  http: [{ method: "POST", path: "/audit-log/witness" }],
  permission: { resource: "audit", action: "read" },
  // It is the log that is told, not the record of changes.
  event: null,
  input: z.object({
    ...ORG,
    size: z.int().min(1).optional().describe("Of the checkpoint; the newest if absent"),
    cosignatures: z.string().min(1).max(16_384, "At most 16384 characters"),
  }),
  output: z.object({
    size: z.number(),
    accepted: z.array(z.object({ witness: z.string(), key_id: z.string(), timestamp: z.string() })),
    ignored: z.number(),
  }),
  example: {
    input: { size: 43, cosignatures: LINE },
    output: {
      size: 43,
      accepted: [
        {
          witness: "witness.example/w1",
          key_id: "d16aba63",
          timestamp: "2026-11-26T10:00:07.000Z",
        },
      ],
      ignored: 0,
    },
  },
  errors: ["not_found", "audit_unavailable"],
  missing: { what: "checkpoint", param: "size" },
  target: inOrg,
  async run(ctx, input) {
    const lines = cosignatureLines(input.cosignatures);
    if (lines === null)
      throw invalidField(["cosignatures"], "Must be lines `— <witness> <base64>`", "body");
    const archive = ctx.deps.auditArchive(ctx.orgId);
    const size = input.size ?? (await ctx.deps.auditLog(ctx.orgId).stand(true)).sealed;
    const bytes = size === 0 ? null : await archive.read(checkpointName(size));
    const signed = bytes === null ? null : readCheckpoint(new TextDecoder().decode(bytes));
    if (signed === null) throw notFound("checkpoint", "size");
    const { body } = signed.note;
    const right = [];
    for (const line of lines) {
      const keys = ctx.deps.witnesses.filter(({ name }) => line.startsWith(`— ${name} `));
      const read = await Promise.all(
        keys.map(async (key) => ({ key, line, at: await readCosignature(body, line, key) })),
      );
      const found = read.find(({ at }) => at !== null);
      if (found !== undefined) right.push({ ...found, at: found.at ?? 0 });
      else if (keys[0] !== undefined)
        throw invalidField(
          ["cosignatures"],
          `The line of ${keys[0].name} is not a right cosignature (v1) of checkpoint ${size} by its key`,
          "body",
        );
    }
    for (const { key, line } of right) {
      const keyId = keyIdOf(key);
      await archive.create(keyName(keyId), utf8.encode(keyFile(key)));
      const kept = await archive.create(cosignatureName(size, keyId), utf8.encode(line));
      if (kept === "written")
        await note(ctx, "audit.cosigned", { size, witness: key.name, key_id: keyId });
    }
    return {
      size,
      accepted: right.map(({ key, at }) => ({
        witness: key.name,
        key_id: keyIdOf(key),
        timestamp: new Date(at).toISOString(),
      })),
      ignored: lines.length - right.length,
    };
  },
});

const utf8 = new TextEncoder();

export const AUDIT_WITNESS = [witness];
