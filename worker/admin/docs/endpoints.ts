import * as z from "zod";
import { errorRow, type ErrorKind } from "../../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import type { Role } from "../../core/principal.ts";
import { ROLE_GRANTS } from "../../policy/authz/roles.ts";
import type { Operation, OperationFacts, Route } from "../operation.ts";
import { OPERATIONS } from "../operations/index.ts";
import { DATA_PLANE, type PathFacts, type PathParameter } from "./data-plane.ts";
import { OPEN_PATHS } from "./open-paths.ts";

/** One endpoint as the documents show it; OpenAPI and the page are both made of this. */
export interface Endpoint {
  id: string;
  section: string;
  summary: string;
  notes: string;
  http: Route[];
  /** `resource:action`; null where no credential is asked for. */
  permission: string | null;
  /** Roles that may do it, with how far they reach: `admin`, `developer (own)`. */
  roles: string[];
  event: string | null;
  parameters: PathParameter[];
  input: JsonObject | null;
  /** The member that a plain-text body becomes; null where only JSON is taken. */
  text: string | null;
  output: JsonObject;
  example: { input: Record<string, Json> | null; output: Json };
  errors: ErrorKind[];
}

const AUTH_ERRORS: ErrorKind[] = [
  "missing_api_key",
  "invalid_api_key",
  "expired_key",
  "ip_not_allowed",
  "forbidden",
];
const PROTECTED_ERRORS: ErrorKind[] = [
  ...AUTH_ERRORS,
  "invalid_request",
  "request_too_large",
  "control_plane_unavailable",
  "internal_error",
];

/** Every endpoint: the data plane first, then what is open, then the operations in their order. */
export function endpoints(): Endpoint[] {
  return [...[...DATA_PLANE, ...OPEN_PATHS].map(fromPath), ...OPERATIONS.map(fromOperation)];
}

function fromPath(facts: PathFacts): Endpoint {
  const { permission } = facts;
  return {
    ...facts,
    notes: facts.notes ?? "",
    permission: permission && `${permission.resource}:${permission.action}`,
    roles: permission === null ? [] : rolesFor(permission),
    event: null,
    parameters: facts.parameters ?? [],
    text: null,
    errors: permission === null ? facts.errors : [...PROTECTED_ERRORS, ...facts.errors],
  };
}

function fromOperation(operation: Operation): Endpoint {
  const { permission, event, http } = operation;
  return {
    id: operation.id,
    section: operation.section,
    summary: operation.summary,
    notes: operation.notes ?? "",
    http,
    permission: `${permission.resource}:${permission.action}`,
    roles: rolesFor(permission),
    event,
    parameters: [],
    input: schemaOf(operation.input, "input"),
    text: operation.text ?? null,
    output: schemaOf(operation.output, "output"),
    example: operation.example,
    errors: [
      ...new Set([
        ...PROTECTED_ERRORS,
        "invalid_fields" as const,
        "not_found" as const,
        ...operation.errors,
      ]),
    ],
  };
}

function rolesFor({ resource, action }: OperationFacts["permission"]): string[] {
  return (Object.keys(ROLE_GRANTS) as Role[]).flatMap((role) => {
    const reach = ROLE_GRANTS[role][resource]?.[action];
    if (reach === undefined) return [];
    return reach === "own" || reach === "team" ? [`${role} (${reach})`] : [role];
  });
}

function schemaOf(type: z.ZodType, io: "input" | "output"): JsonObject {
  const schema = z.toJSONSchema(type, { io, unrepresentable: "any" });
  const plain = JSON.parse(JSON.stringify(schema)) as unknown;
  if (!isJsonObject(plain)) return {};
  const { $schema: _, ...rest } = plain;
  return tolerant(rest);
}

/** Members beyond the named ones are tolerated in what is sent and may come in what is answered. */
function tolerant(schema: JsonObject): JsonObject {
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  for (const value of Object.values(schema)) {
    const parts = Array.isArray(value) ? value : [value];
    for (const part of parts) if (isJsonObject(part)) tolerant(part);
  }
  return schema;
}

/** Refusals by HTTP status, in ascending order. */
export function errorsByStatus(kinds: readonly ErrorKind[]): [number, ErrorKind[]][] {
  const by = new Map<number, ErrorKind[]>();
  for (const kind of kinds) {
    const { status } = errorRow(kind);
    by.set(status, [...(by.get(status) ?? []), kind]);
  }
  return [...by].toSorted(([a], [b]) => a - b);
}
