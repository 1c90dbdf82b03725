import { errorRow } from "../../core/errors.ts";
import { isJsonObject, type JsonObject } from "../../core/json.ts";
import { endpoints, errorsByStatus, type Endpoint } from "./endpoints.ts";
import { pathParameters, type Route } from "../operation.ts";

const JSON_TYPE = "application/json";

/** The OpenAPI 3.1 document of the whole surface. */
export function openApi(): JsonObject {
  const all = endpoints();
  const paths: Record<string, JsonObject> = {};
  for (const endpoint of all) {
    for (const [index, route] of endpoint.http.entries()) {
      const methods = (paths[route.path] ??= {});
      methods[route.method.toLowerCase()] = describe(endpoint, route, index);
    }
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Routero",
      version: "0.1.0",
      summary: "A control plane for AI traffic behind one base URL.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(all.map((each) => each.section))].map((name) => ({ name })),
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: { securitySchemes: SECURITY, schemas: { Error: ERROR, FieldErrors: FIELD_ERRORS } },
  };
}

function describe(endpoint: Endpoint, route: Route, index: number): JsonObject {
  const { input, permission } = endpoint;
  const inQuery = route.method === "GET";
  const inPath = pathParameters(route.path);
  const rest = without(input, inPath);
  return {
    operationId: index === 0 ? endpoint.id : `${endpoint.id}.${index + 1}`,
    tags: [endpoint.section],
    summary: endpoint.summary,
    ...(endpoint.notes !== "" && { description: endpoint.notes }),
    ...(permission === null && { security: [] }),
    "x-permission": permission,
    "x-roles": endpoint.roles,
    "x-audit-event": endpoint.event,
    "x-errors": endpoint.errors.map((kind) => errorRow(kind).code),
    parameters: [
      ...inPath.map((name) => ({
        name,
        in: "path",
        required: true,
        ...described(endpoint, name),
        schema: { type: "string" },
      })),
      ...(inQuery ? queryParameters(rest) : []),
    ],
    ...(!inQuery &&
      rest !== null && {
        requestBody: {
          required: true,
          content: {
            [JSON_TYPE]: { schema: rest, example: omitted(endpoint.example.input ?? {}, inPath) },
            ...(endpoint.text !== null && {
              "text/yaml": {
                schema: { type: "string", description: `The same as \`${endpoint.text}\`` },
                example: endpoint.example.input?.[endpoint.text] ?? "",
              },
            }),
          },
        },
      }),
    responses: {
      "200": {
        description: "Done",
        content: { [JSON_TYPE]: { schema: endpoint.output, example: endpoint.example.output } },
      },
      ...refusals(endpoint),
    },
  };
}

/** The schema of what a route takes besides the parameters of its path. */
function without(input: JsonObject | null, names: readonly string[]): JsonObject | null {
  const properties = input?.properties;
  if (names.length === 0 || !isJsonObject(properties)) return input;
  const required = Array.isArray(input?.required) ? input.required : [];
  return {
    ...input,
    properties: omitted(properties, names),
    required: required.filter((each) => typeof each !== "string" || !names.includes(each)),
  };
}

function omitted(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

function described(endpoint: Endpoint, name: string): { description?: string } {
  const said = endpoint.parameters.find((each) => each.name === name)?.description;
  const properties = endpoint.input?.properties;
  const field = isJsonObject(properties) ? properties[name] : undefined;
  const description = said ?? (isJsonObject(field) ? field.description : undefined);
  return typeof description === "string" ? { description } : {};
}

function queryParameters(input: JsonObject | null): JsonObject[] {
  const properties = input?.properties;
  if (!isJsonObject(properties)) return [];
  const required = Array.isArray(input?.required) ? input.required : [];
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function refusals(endpoint: Endpoint): JsonObject {
  return Object.fromEntries(
    errorsByStatus(endpoint.errors).map(([status, kinds]) => [
      String(status),
      {
        description: [...new Set(kinds.map((kind) => errorRow(kind).code))].join(", "),
        content: {
          [JSON_TYPE]: {
            schema: { $ref: `#/components/schemas/${status === 422 ? "FieldErrors" : "Error"}` },
          },
        },
      },
    ]),
  );
}

const SECURITY: JsonObject = {
  bearer: { type: "http", scheme: "bearer", description: "A virtual key or the master key" },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "The same" },
};

const errorObject: JsonObject = {
  type: "object",
  properties: {
    message: { type: "string" },
    type: { type: "string" },
    param: { type: ["string", "null"] },
    code: { type: "string" },
  },
  required: ["message", "type", "param", "code"],
};

const ERROR: JsonObject = {
  type: "object",
  properties: { error: errorObject },
  required: ["error"],
};

const FIELD_ERRORS: JsonObject = {
  type: "object",
  properties: {
    error: errorObject,
    detail: {
      type: "array",
      items: {
        type: "object",
        properties: {
          loc: { type: "array", items: { type: ["string", "integer"] } },
          msg: { type: "string" },
          type: { type: "string" },
        },
        required: ["loc", "msg", "type"],
      },
    },
  },
  required: ["error", "detail"],
};
