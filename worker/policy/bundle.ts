import { sha256, toHex } from "../core/bytes.ts";
import { link, type Linked } from "./evaluate.ts";
import { ENGINE, type Plan } from "./plan.ts";

/** What is stored of a published document, under the hash of its text: enough to decide, to show, and to replay. */
export interface Bundle {
  format: 1;
  /** The document and its tests as they were published. */
  source: string;
  tests: string | null;
  plan: Plan;
}

/** A bundle's text; equal documents give equal texts under one engine. */
export function bundleText(source: string, tests: string | null, plan: Plan): string {
  const bundle: Bundle = { format: 1, source, tests, plan };
  return JSON.stringify(bundle);
}

/** `sha256:` and 64 hexadecimal digits. */
export function bundleHash(text: string): string {
  return `sha256:${toHex(sha256(text))}`;
}

/** Reads a bundle; throws where it is none or of an engine that this version can't run. */
export function readBundle(text: string): Bundle {
  const bundle = JSON.parse(text) as Bundle;
  if (bundle.format !== 1 || !(bundle.plan.engine <= ENGINE)) {
    throw new Error("This policy bundle was written by a newer version.");
  }
  return bundle;
}

export function linkBundle(text: string): Linked {
  return link(readBundle(text).plan);
}
