import { GatewayError } from "../core/errors.ts";

/** A name as one segment of a path: it can't climb out of it. */
export function segment(name: string): string {
  if (/^\.{0,2}$/.test(name)) {
    throw new GatewayError("model_not_found", "There is no model of that name at the provider.", {
      param: "model",
    });
  }
  return encodeURIComponent(name);
}
