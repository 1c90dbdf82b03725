// Writes policies/policy.schema.json, which editors check policy documents by. A test fails where it is out of date.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { policySchema } from "../worker/policy/json-schema.ts";

const file = join(import.meta.dirname, "..", "policies", "policy.schema.json");
writeFileSync(file, `${JSON.stringify(policySchema(), null, 2)}\n`);
