// `routero policy …`: checks and tests documents offline, and brings them to a gateway through its admin API.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { parseArgs } from "node:util";
import { checkDocument } from "../worker/policy/checked.ts";
import { faultText } from "../worker/policy/faults.ts";
import { OFFLINE } from "../worker/policy/known.ts";
import { ask, gatewayOf } from "./gateway.ts";
import { parsed, UsageError, type Output } from "./usage.ts";

const POLICY_USAGE = `Usage: npm run -s routero -- policy <command> [options]

Commands
  check FILE…      read documents; says what is wrong and where. With an address also against the groups that exist there
  test FILE…       run <name>.test.yaml beside each <name>.yaml; shows which rules no case comes to
  apply FILE       publish (idempotent); --dry-run for pull requests, --if-match against lost updates
  rollback         bring back --version N
  simulate FILE    what the last 24 hours' decisions would have been
  explain          why a request was decided as it was: --call-id ID, or --request FILE (JSON) for one that was not made

Options
  --url URL            address of the gateway     (or ROUTERO_URL)
  --key KEY            a key that may do this     (or ROUTERO_KEY, or MASTER_KEY)
  --workspace NAME     the organization: id, ws_<id> or alias
  --team TEAM          a team's own document, by the team's id or alias
  --version N          for rollback
  --if-match V         version or hash that must be in force
  --dry-run            publish nothing
  --window 24h         for simulate: hours or days, 7d at most
  --min-coverage PCT   for test: fail below this share of rules that some case comes to
  --json               the gateway's own answer

Exit codes: 0 done, 1 refused (a fault, a failing case, a change that is not wanted), 2 usage, 3 no gateway answered.
`;

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  workspace: { type: "string" },
  team: { type: "string" },
  version: { type: "string" },
  "if-match": { type: "string" },
  "call-id": { type: "string" },
  request: { type: "string" },
  "min-coverage": { type: "string" },
  window: { type: "string" },
  "dry-run": { type: "boolean" },
  json: { type: "boolean" },
} as const;

type Values = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
>["values"];

/** Runs one command; answers the process's exit code. Throws `UsageError`, `Refused` and `Unreachable`. */
export async function policyCommand(words: string[], io: Output): Promise<number> {
  const [command, ...rest] = words;
  if (command === undefined || command === "help" || words.includes("--help")) {
    io.out(POLICY_USAGE.trimEnd());
    return command === undefined ? 2 : 0;
  }
  const { values, positionals } = parsed({ args: rest, options: OPTIONS, allowPositionals: true });
  switch (command) {
    case "check":
      return check(files(positionals), values, io);
    case "test":
      return test(files(positionals), values, io);
    case "apply":
      return apply(one(positionals), values, io);
    case "rollback":
      return rollback(values, io);
    case "simulate":
      return simulate(one(positionals), values, io);
    case "explain":
      return explain(values, io);
    default:
      throw new UsageError(`there is no "policy ${command}"; policy --help lists the commands`);
  }
}

async function check(names: string[], values: Values, io: Output): Promise<number> {
  let [wrong, warned] = [0, 0];
  for (const name of names) {
    const { yaml, tests } = await read(name);
    const file = basename(name);
    if (urlOf(values) !== "") {
      const body = { yaml, tests, file, ...(values.team !== undefined && { team: values.team }) };
      const named = values.workspace === undefined ? {} : { organization_id: values.workspace };
      const answer = await call(values, "POST", "/policy/validate", { ...body, ...named });
      const faults = (answer["faults"] ?? []) as { text: string; severity: string }[];
      for (const fault of faults) io.err(fault.text);
      const errors = faults.filter(({ severity }) => severity === "error").length;
      wrong += errors;
      warned += faults.length - errors;
    } else {
      const { faults } = checkDocument(
        { ...OFFLINE, team: values.team !== undefined },
        yaml,
        tests,
        file,
      );
      for (const fault of faults) io.err(faultText(fault));
      wrong += faults.filter(({ severity }) => severity === "error").length;
    }
  }
  const where = urlOf(values) === "" ? "offline" : `at ${urlOf(values)}`;
  const told = [
    wrong === 0 ? "nothing wrong" : `${wrong} wrong`,
    ...(warned === 0 ? [] : [warned === 1 ? "1 warning" : `${warned} warnings`]),
  ];
  io.out(`${names.length} checked ${where}, ${told.join(", ")}`);
  return wrong === 0 ? 0 : 1;
}

async function test(names: string[], values: Values, io: Output): Promise<number> {
  const least = values["min-coverage"] === undefined ? 0 : Number(values["min-coverage"]);
  if (!(least >= 0 && least <= 100)) throw new UsageError("--min-coverage takes a percentage");
  let failed = false;
  for (const name of names) {
    const { yaml, tests } = await read(name);
    const { faults, suite } = checkDocument(OFFLINE, yaml, tests, basename(name));
    for (const fault of faults) io.err(faultText(fault));
    const wrong = faults.some(({ severity }) => severity === "error");
    if (suite === null) {
      io.out(`${name}: ${wrong ? "not read" : "no tests"}`);
      failed ||= wrong || least > 0;
      continue;
    }
    const all = suite.covered.length + suite.uncovered.length;
    const share = all === 0 ? 100 : Math.floor((suite.covered.length / all) * 100);
    const missed =
      suite.uncovered.length === 0 ? "" : `; no case comes to ${suite.uncovered.join(", ")}`;
    io.out(
      `${name}: ${suite.passed} of ${suite.cases.length} cases pass, ${share} % of rules${missed}`,
    );
    failed ||= wrong || share < least;
  }
  return failed ? 1 : 0;
}

async function apply(name: string, values: Values, io: Output): Promise<number> {
  const { yaml, tests } = await read(name);
  const answer = await call(values, "PUT", `/policy/${workspaceOf(values)}`, {
    yaml,
    tests,
    file: basename(name),
    dry_run: values["dry-run"] === true,
    ...(values.team !== undefined && { team: values.team }),
    ...(values["if-match"] !== undefined && { if_match: values["if-match"] }),
  });
  if (values.json === true) io.out(JSON.stringify(answer, null, 2));
  const warnings = (answer["warnings"] ?? []) as { text: string }[];
  for (const { text } of warnings) io.err(text);
  const { version, hash, changed } = answer;
  const what =
    changed === true
      ? values["dry-run"]
        ? "would be published as"
        : "published as"
      : "unchanged,";
  if (values.json !== true) io.out(`${name} ${what} version ${String(version)} ${String(hash)}`);
  return 0;
}

async function rollback(values: Values, io: Output): Promise<number> {
  const version = Number(values.version);
  if (!Number.isInteger(version)) throw new UsageError("--version takes the number to bring back");
  const answer = await call(values, "POST", `/policy/${workspaceOf(values)}/rollback`, {
    version,
    dry_run: values["dry-run"] === true,
    ...(values.team !== undefined && { team: values.team }),
    ...(values["if-match"] !== undefined && { if_match: values["if-match"] }),
  });
  const number = String(answer["version"]);
  const done =
    answer["changed"] !== true
      ? `unchanged: version ${number} is what version ${version} was`
      : values["dry-run"] === true
        ? `version ${number} would bring back ${version}`
        : `version ${number} brings back ${version}`;
  io.out(values.json === true ? JSON.stringify(answer, null, 2) : done);
  return 0;
}

interface Simulated {
  decisions: number;
  changed: number;
  undetermined: number;
  cut: boolean;
  missing: string[];
  blocks: { before: number; after: number };
  cost_usd: { before: number; after: number; requests: number };
}

interface Difference {
  requests: number;
  from: { rule: string | null; route: string | null; blocked: boolean };
  to: { rule: string | null; route: string | null; blocked: boolean };
}

async function simulate(name: string, values: Values, io: Output): Promise<number> {
  const { yaml } = await read(name);
  const answer = await call(values, "POST", "/policy/simulate", {
    workspace: workspaceOf(values),
    yaml,
    file: basename(name),
    ...(values.window !== undefined && { window: values.window }),
    ...(values.team !== undefined && { team: values.team }),
  });
  if (values.json === true) {
    io.out(JSON.stringify(answer, null, 2));
    return 0;
  }
  const {
    decisions,
    changed,
    undetermined,
    blocks,
    cost_usd: cost,
    cut,
    missing,
  } = answer as unknown as Simulated;
  io.out(
    `${decisions} decisions${cut ? " (the newest)" : ""}, ${changed} would change, ${undetermined} can't be told`,
  );
  if (missing.length > 0) io.out(`not on record: ${missing.join(", ")}`);
  io.out(
    `blocked ${blocks.before} → ${blocks.after}; ${cost.before} → ${cost.after} USD for ${cost.requests} requests`,
  );
  const shown = ({ rule, route, blocked }: Difference["from"]) =>
    `${rule ?? "no rule"} → ${blocked ? (route === null ? "blocked" : `${route}, where nothing may serve`) : (route ?? "as requested")}`;
  for (const each of (answer["changes"] ?? []) as Difference[]) {
    io.out(`${String(each.requests).padStart(8)}  ${shown(each.from)}   ⇒   ${shown(each.to)}`);
  }
  return 0;
}

async function explain(values: Values, io: Output): Promise<number> {
  const id = values["call-id"];
  const file = values.request;
  if ((id === undefined) === (file === undefined)) {
    throw new UsageError("explain takes either --call-id or --request");
  }
  const named = values.workspace === undefined ? {} : { organization_id: values.workspace };
  const asked = id === undefined ? { request: await readRequest(file ?? "") } : { call_id: id };
  const answer = await call(values, "POST", "/policy/explain", { ...asked, ...named });
  io.out(JSON.stringify(answer, null, 2));
  return 0;
}

async function readRequest(name: string): Promise<object> {
  const text = await readFile(name, "utf8").catch(() => {
    throw new UsageError(`there is no file ${name}`);
  });
  try {
    return JSON.parse(text) as object;
  } catch {
    throw new UsageError(
      `${name} is not JSON: it holds a request, as {"model": "…", "messages": []}`,
    );
  }
}

function files(positionals: string[]): string[] {
  const documents = positionals.filter((each) => !/\.test\.ya?ml$/.test(each));
  if (documents.length === 0) throw new UsageError("name the documents to read");
  return documents;
}

function one(positionals: string[]): string {
  const [only, ...more] = files(positionals);
  if (only === undefined || more.length > 0) throw new UsageError("name one document");
  return only;
}

function workspaceOf(values: Values): string {
  if (values.workspace === undefined) throw new UsageError("--workspace names the organization");
  return encodeURIComponent(values.workspace);
}

function urlOf(values: Values): string {
  return values.url ?? process.env["ROUTERO_URL"] ?? "";
}

/** A document, and its tests where `<name>.test.yaml` lies beside it. */
async function read(name: string): Promise<{ yaml: string; tests: string | null }> {
  const yaml = await readFile(name, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EISDIR")
      throw new UsageError(`${name} is a directory: name the documents in it, as ${name}/*.yaml`);
    throw new UsageError(`there is no file ${name}`);
  });
  const beside = name.replace(/(\.ya?ml)?$/, (end) => `.test${end || ".yaml"}`);
  const tests = await readFile(beside, "utf8").catch(() => null);
  return { yaml, tests };
}

async function call(
  values: Values,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const key = values.key ?? process.env["ROUTERO_KEY"] ?? process.env["MASTER_KEY"];
  const gateway = gatewayOf({ url: values.url, key });
  return JSON.parse(await ask(gateway, method, path, body)) as Record<string, unknown>;
}
