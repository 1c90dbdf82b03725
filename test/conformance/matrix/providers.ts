import { UPSTREAM_KEY } from "../../support/cluster/client.ts";
import type { Upstream } from "../../support/upstream/index.ts";

/** A way to reach a model: a column of the matrix. */
export interface Provider {
  name: string;
  /** The provider's name for the model. */
  model: string;
  /** What POST /model/new takes besides the model's name. */
  params: (up: Upstream) => Record<string, unknown>;
  info?: Record<string, unknown>;
}

const KEY = { api_key: UPSTREAM_KEY };

export const PROVIDERS: readonly Provider[] = [
  {
    name: "openai-chat",
    model: "gpt-matrix",
    params: (up) => ({ model: "openai_compatible/gpt-matrix", api_base: `${up.url}/v1`, ...KEY }),
  },
  {
    name: "openai-responses",
    model: "gpt-responses",
    params: (up) => ({ model: "openai/gpt-responses", api_base: `${up.url}/v1`, ...KEY }),
    info: { mode: "responses" },
  },
  {
    name: "azure",
    model: "azure-deployment",
    params: (up) => ({ model: "azure/azure-deployment", api_base: up.url, ...KEY }),
  },
  {
    name: "anthropic",
    model: "claude-matrix",
    params: (up) => ({ model: "anthropic/claude-matrix", api_base: up.url, ...KEY }),
  },
  {
    name: "gemini",
    model: "gemini-matrix",
    params: (up) => ({ model: "gemini/gemini-matrix", api_base: up.url, ...KEY }),
  },
  {
    name: "vertex_ai",
    model: "gemini-vertex",
    params: (up) => ({
      model: "vertex_ai/gemini-vertex",
      api_base: up.url,
      vertex_project: "project-1",
      vertex_location: "europe-west4",
      ...KEY,
    }),
  },
  {
    name: "cohere",
    model: "command-matrix",
    params: (up) => ({ model: "cohere/command-matrix", api_base: up.url, ...KEY }),
  },
  {
    name: "ollama",
    model: "llama-matrix",
    params: (up) => ({ model: "ollama/llama-matrix", api_base: up.url }),
  },
  {
    name: "bedrock",
    model: "us.anthropic.claude-matrix-v1:0",
    params: (up) => ({
      model: "bedrock/us.anthropic.claude-matrix-v1:0",
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "bedrock_anthropic",
    model: "anthropic.claude-invoke-v1:0",
    params: (up) => ({
      model: "bedrock_anthropic/anthropic.claude-invoke-v1:0",
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "bedrock_openai",
    model: "openai.gpt-invoke-v1:0",
    params: (up) => ({
      model: "bedrock_openai/openai.gpt-invoke-v1:0",
      api_base: up.url,
      aws_region_name: "us-east-1",
      aws_access_key_id: "AKIDMATRIX",
      aws_secret_access_key: "not-a-real-key",
    }),
  },
  {
    name: "vertex_ai_anthropic",
    model: "claude-vertex",
    params: (up) => ({
      model: "vertex_ai_anthropic/claude-vertex",
      api_base: up.url,
      vertex_project: "project-1",
      ...KEY,
    }),
  },
];
