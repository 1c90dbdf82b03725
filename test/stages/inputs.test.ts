import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { fitRecord } from "../../worker/core/audit-record.ts";
import type { Authorized } from "../../worker/core/call.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Verdict } from "../../worker/core/policy.ts";
import type { Deps } from "../../worker/core/ports.ts";
import { inputsOf } from "../../worker/stages/inputs.ts";
import { chosen, deployment } from "./world.ts";

const secret = new Uint8Array(32).fill(7);
const deps = {
  inputSecret: () => ({ version: 3, secret }),
  detectors: {
    "content.task": () => "code",
    "content.secrets_detected": ({ messages }) => JSON.stringify(messages).includes("sk-"),
    "content.pii_entities": () => ["EMAIL"],
  },
} as Partial<Deps> as Deps;

function asked(messages: JsonObject[], logInputs = true): Authorized {
  const verdict = { audit: { logInputs } } as Verdict;
  return { ...chosen({ model: "group", messages }, [deployment("a")]), verdict };
}

test("each message is told by its length, its keyed hash and what detectors find in it alone", () => {
  const two = asked([
    { role: "system", content: "Zürich" },
    { role: "user", content: "the key is sk-1" },
  ]);
  const hash = (text: string) => createHmac("sha256", secret).update(text).digest("base64url");
  const found = (secrets: boolean) => ({
    "content.pii_entities": ["EMAIL"],
    "content.secrets_detected": secrets,
  });
  expect(inputsOf(deps, two)).toEqual({
    inputs: {
      key_version: 3,
      total: 2,
      messages: [
        { role: "system", bytes: 7, hash: hash("Zürich"), detected: found(false) },
        { role: "user", bytes: 15, hash: hash("the key is sk-1"), detected: found(true) },
      ],
    },
  });
  expect(inputsOf(deps, asked([{ role: "user", content: "x" }], false))).toEqual({});
});

test("a long conversation keeps its newest messages, and gives them up before what is replayed", () => {
  const messages = Array.from({ length: 100 }, (_, n) => ({ role: "user", content: `turn ${n}` }));
  const { inputs } = inputsOf(deps, asked(messages));
  expect(inputs?.total).toBe(100);
  expect(inputs?.messages).toHaveLength(32);
  const hash = createHmac("sha256", secret).update("turn 99").digest("base64url");
  expect(inputs?.messages.at(-1)?.hash).toBe(hash);
  const at = 1_800_000_000_000;
  const candidates = Array.from({ length: 100 }, (_, n) => ({ deployment: `d${n}`.repeat(40) }));
  const read = fitRecord({
    eventId: `evt_${timeOrderedId(at)}`,
    type: "request.routed",
    at,
    orgId: "g000000000000",
    actor: "master",
    data: { candidates, inputs: inputs as unknown as JsonObject },
  });
  if (!("record" in read)) throw new Error(read.reason);
  expect(read.record.data).toEqual({ candidates, cut: ["inputs"] });
});
