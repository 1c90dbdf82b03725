import { UPSTREAM_KEY } from "../../support/cluster/client.ts";
import type { Upstream } from "../../support/upstream/index.ts";

/** A way to reach a model: a column of the matrix. */
export interface Provider {
  name: string;
  /** The provider's name for the model. */
  model: string;
  /** What POST /model/new takes besides the model's name; `model` in the place of the provider's own. */
  params: (up: Upstream, model?: string) => Record<string, unknown>;
  info?: Record<string, unknown>;
}

/** The model by a name of its own for who asks: what one asks then is nothing to the others. */
export function modelFor({ model }: Provider, who: string): string {
  return model.replace(/matrix|invoke|vertex|responses|deployment/, (part) => `${part}-${who}`);
}

const KEY = { api_key: UPSTREAM_KEY };

export const PROVIDERS: readonly Provider[] = [
  {
    name: "openai-chat",
    model: "gpt-matrix",
    params: (up, model = "gpt-matrix") => ({
      model: `openai_compatible/${model}`,
      api_base: `${up.url}/v1`,
      ...KEY,
    }),
  },
  {
    name: "openai-responses",
    model: "gpt-responses",
    params: (up, model = "gpt-responses") => ({
      model: `openai/${model}`,
      api_base: `${up.url}/v1`,
      ...KEY,
    }),
    info: { mode: "responses" },
  },
  {
    name: "azure",
    model: "azure-deployment",
    params: (up, model = "azure-deployment") => ({
      model: `azure/${model}`,
      api_base: up.url,
      ...KEY,
    }),
  },
  {
    name: "anthropic",
    model: "claude-matrix",
    params: (up, model = "claude-matrix") => ({
      model: `anthropic/${model}`,
      api_base: up.url,
      ...KEY,
    }),
  },
  {
    name: "gemini",
    model: "gemini-matrix",
    params: (up, model = "gemini-matrix") => ({
      model: `gemini/${model}`,
      api_base: up.url,
      ...KEY,
    }),
  },
  {
    name: "vertex_ai",
    model: "gemini-vertex",
    params: (up, model = "gemini-vertex") => ({
      model: `vertex_ai/${model}`,
      api_base: up.url,
      vertex_project: "project-1",
      vertex_location: "europe-west4",
      ...KEY,
    }),
  },
  {
    name: "cohere",
    model: "command-matrix",
    params: (up, model = "command-matrix") => ({
      model: `cohere/${model}`,
      api_base: up.url,
      ...KEY,
    }),
  },
  {
    name: "ollama",
    model: "llama-matrix",
    params: (up, model = "llama-matrix") => ({ model: `ollama/${model}`, api_base: up.url }),
  },
  {
    name: "bedrock",
    model: "us.anthropic.claude-matrix-v1:0",
    params: (up, model = "us.anthropic.claude-matrix-v1:0") => ({
      model: `bedrock/${model}`,
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "bedrock_anthropic",
    model: "anthropic.claude-invoke-v1:0",
    params: (up, model = "anthropic.claude-invoke-v1:0") => ({
      model: `bedrock_anthropic/${model}`,
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "bedrock_openai",
    model: "openai.gpt-invoke-v1:0",
    params: (up, model = "openai.gpt-invoke-v1:0") => ({
      model: `bedrock_openai/${model}`,
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "vertex_ai_anthropic",
    model: "claude-vertex",
    params: (up, model = "claude-vertex") => ({
      model: `vertex_ai_anthropic/${model}`,
      api_base: up.url,
      vertex_project: "project-1",
      ...KEY,
    }),
  },
];
