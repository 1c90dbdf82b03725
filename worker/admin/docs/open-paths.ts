import { text } from "./data-plane-forms.ts";
import type { PathFacts } from "./data-plane.ts";

/** What is open to whoever asks: it takes no key, or brings its own proof. */
export const OPEN_PATHS: readonly PathFacts[] = [
  {
    id: "invitation.claim",
    section: "Users",
    summary: "Accept an invitation",
    notes:
      "The token is the credential: it makes a user and a first key, once, and the key is in this answer and nowhere else. The page behind an invitation's link, GET /invitation, does this call.",
    http: [{ method: "POST", path: "/invitation/claim" }],
    permission: null,
    input: {
      type: "object",
      properties: { token: text("Of the invitation"), user_alias: text("A name for people") },
      required: ["token"],
    },
    output: {
      type: "object",
      properties: {
        user_id: { type: "string" },
        user_email: { type: "string" },
        user_role: { type: "string" },
        organization_id: { type: "string" },
        teams: { type: "array", items: { type: "string" } },
        key: text("The key itself, shown once"),
        token: text("Public handle of the key"),
        key_name: { type: "string" },
        base_url: { type: "string" },
      },
      required: ["user_id", "key"],
    },
    example: {
      input: { token: "rt-invite-…" },
      output: {
        user_id: "5b0f6f0e-1c0e-4a5c-8a53-0a4e1f7f7c11",
        user_email: "ada@example.com",
        user_role: "developer",
        organization_id: "org_g4Zk1x9QmT7ab",
        teams: [],
        key: "sk-rt-g4Zk1x9QmT7ab-…",
        key_name: "sk-…x7Qe",
        base_url: "https://gateway.example.com/v1",
      },
    },
    errors: ["invalid_fields", "invalid_request", "not_found", "conflict"],
  },
  {
    id: "health.liveliness",
    section: "Health",
    summary: "Is the process alive?",
    http: [
      { method: "GET", path: "/health/liveliness" },
      { method: "GET", path: "/health/liveness" },
    ],
    permission: null,
    input: null,
    output: { type: "string" },
    example: { input: null, output: "I'm alive!" },
    errors: [],
  },
  {
    id: "health.readiness",
    section: "Health",
    summary: "Can it serve?",
    notes: "503 until the record can be reached.",
    http: [{ method: "GET", path: "/health/readiness" }],
    permission: null,
    input: null,
    output: {
      type: "object",
      properties: { status: { type: "string" }, db: { type: "string" } },
      required: ["status", "db"],
    },
    example: { input: null, output: { status: "healthy", db: "connected" } },
    errors: [],
  },
];
