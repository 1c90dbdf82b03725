import type * as z from "zod";
import { isJsonObject } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** True only for a value that a form takes as it is; where it is false the form itself has to be asked. */
export type Quick = (value: unknown) => boolean;

/** What this file reads of zod's forms; all other kinds of forms are always asked themselves. */
interface Form<D = Def> {
  _zod: { def: D };
}

/** Where zod keeps what a form or a check was made from, for those who build upon it. */
function defOf<D>({ _zod: { def } }: Form<D>): D {
  return def;
}

interface Def {
  type: string;
  format?: string;
  checks?: Form<Check>[];
  values?: unknown[];
  entries?: Record<string, string | number>;
  fn?: (value: unknown) => unknown;
  element?: Form;
  keyType?: Form;
  valueType?: Form;
  innerType?: Form;
  options?: Form[];
  shape?: Record<string, Form>;
  catchall?: Form;
}

interface Check {
  check: string;
  maximum?: number;
  minimum?: number;
  value?: number;
  inclusive?: boolean;
  pattern?: RegExp;
}

const never: Quick = () => false;

/**
 * A test that says at once what zod would find sound: zod walks a value with a context and a copy for each member, which
 * costs many times as much. Records of the audit log are nearly always sound, and whatever is not goes to zod, which
 * finds the words. Nothing passes here that the form would refuse or change (test/core/quick-form).
 */
export function quickForm(form: z.ZodType): Quick {
  return quick(form as unknown as Form);
}

function quick(form: Form | undefined): Quick {
  const def = form && defOf(form);
  if (def === undefined) return never;
  const checks = (def.checks ?? []).map((each) => checkOf(defOf(each)));
  if (checks.some((check) => check === never)) return never;
  const kind = kindOf(def);
  const [only] = checks;
  if (only === undefined || kind === never) return kind;
  if (checks.length === 1) return (value) => kind(value) && only(value);
  return (value) => kind(value) && checks.every((check) => check(value));
}

function kindOf(def: Def): Quick {
  switch (def.type) {
    case "string":
      return def.format === undefined ? (value) => typeof value === "string" : never;
    case "number":
      if (def.format === "safeint") return Number.isSafeInteger;
      return def.format === undefined ? Number.isFinite : never;
    case "boolean":
      return (value) => typeof value === "boolean";
    case "null":
      return (value) => value === null;
    case "literal":
    case "enum": {
      const values = new Set<unknown>(def.values ?? Object.values(def.entries ?? {}));
      return (value) => values.has(value);
    }
    case "custom":
      return (value) => Boolean(def.fn?.(value));
    case "optional":
      return orElse(undefined, quick(def.innerType));
    case "nullable":
      return orElse(null, quick(def.innerType));
    case "union": {
      const options = (def.options ?? []).map(quick);
      return (value) => options.some((option) => option(value));
    }
    case "array": {
      const element = quick(def.element);
      return (value) => Array.isArray(value) && allOf(value, element);
    }
    case "record":
      return recordOf(quick(def.keyType), quick(def.valueType));
    case "object":
      return objectOf(def);
    default:
      return never;
  }
}

function checkOf({ check, maximum, minimum, value: bound, inclusive, pattern }: Check): Quick {
  if (check === "max_length" && maximum !== undefined) {
    return (value) => (value as string | unknown[]).length <= maximum;
  }
  if (check === "min_length" && minimum !== undefined) {
    return (value) => (value as string | unknown[]).length >= minimum;
  }
  if (check === "greater_than" && bound !== undefined) {
    return (value) => (inclusive === true ? Number(value) >= bound : Number(value) > bound);
  }
  // A pattern with a memory of its own would say now this and now that.
  if (check === "string_format" && pattern && !pattern.global && !pattern.sticky) {
    return (value) => pattern.test(value as string);
  }
  return never;
}

function orElse(other: null | undefined, inner: Quick): Quick {
  return (value) => value === other || inner(value);
}

/** Also over holes, which are no elements of anything. */
function allOf(values: readonly unknown[], element: Quick): boolean {
  for (let at = 0; at < values.length; at++) if (!element(values[at])) return false;
  return true;
}

/** An object as JSON has them, of no class. */
function isPlain(value: unknown): value is JsonObject {
  if (!isJsonObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function recordOf(key: Quick, member: Quick): Quick {
  return (value) => {
    if (!isPlain(value)) return false;
    for (const name of Object.keys(value)) {
      if (name === "__proto__" || !key(name) || !member(value[name])) return false;
    }
    return true;
  };
}

function objectOf({ shape = {}, catchall }: Def): Quick {
  const members = new Map(Object.entries(shape).map(([name, form]) => [name, quick(form)]));
  const needed = [...members].filter(([, member]) => !member(undefined)).map(([name]) => name);
  const others = catchall ? quick(catchall) : never;
  return (value) => {
    if (!isPlain(value)) return false;
    for (const name of Object.keys(value)) {
      if (name === "__proto__" || !(members.get(name) ?? others)(value[name])) return false;
    }
    for (const name of needed) if (!Object.hasOwn(value, name)) return false;
    return true;
  };
}
