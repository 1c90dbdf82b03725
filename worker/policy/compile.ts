import { isMap, isScalar, type Node } from "yaml";
import { ACTION_KEYS, checkDemands, checkThrottle, readAction, type Demand } from "./action.ts";
import { checkConstraint, checkRules } from "./check.ts";
import { DEFAULT_CALENDAR, type Calendar } from "./calendar.ts";
import { fingerprint, mapTree } from "./condition.ts";
import type { Condition, Constant, Predicate, Tree, Window } from "./condition.ts";
import { readEntries } from "./constraint.ts";
import { readCalendar, readWindow } from "./schedule.ts";
import { statesOfPlan } from "./cost.ts";
import { short, type Member, type Source } from "./document.ts";
import type { Known } from "./known.ts";
import { Effort } from "./literal.ts";
import { misplacedAtTop, misplacedInConstraint, misplacedInRule } from "./misplaced.ts";
import { ENGINE, type Action, type Constraint, type Plan, type Rule } from "./plan.ts";
import { needsSaying, warnAbsent, warnOff } from "./unknowns.ts";
import { readWhenCel } from "./when-cel.ts";
import { readConstant, readWhenMap } from "./when-map.ts";

const MOST_RULES = 1_000;
const MOST_CONSTRAINTS = 200;
const MOST_PREDICATES = 5_000;
const MOST_CONSTANTS = 200;
/** Of all patterns together: with the longest text of a signal, what they may cost a request. */
const MOST_STATES = 10_000;

const TOP_KEYS = [
  "workspace",
  "team",
  "version",
  "name",
  "description",
  "schedule",
  "constants",
  "constraints",
  "defaults",
  "rules",
] as const;
const RULE_KEYS = [
  "id",
  "description",
  "enabled",
  "when",
  "schedule",
  "on_unknown",
  ...ACTION_KEYS,
] as const;
const CONSTRAINT_KEYS = ["id", "description", "enabled", "when", "require", "forbid"] as const;

/** What reading a document came to. `plan` is null where a fault refuses it. */
export interface Compiled {
  plan: Plan | null;
  /** Names that rules route to, with the rule that does. */
  targets: { name: string; rule: string }[];
  workspace: string | null;
  team: string | null;
}

/** A rule as it was read, with its place, for the checks across rules. */
export interface ReadRule {
  rule: Rule;
  node: Node | null;
  when: Tree<Predicate> | null;
  window: Window | null;
  enabled: boolean;
  /** False where its condition could not be read: nothing is concluded from it then. */
  sound: boolean;
}

/** Compiles a document. Everything that is wrong with it becomes a fault of the source, in the order of the lines. */
export function compile(source: Source, known: Known): Compiled {
  const compiled = new Compilation(source, known).run();
  source.faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return source.refused ? { ...compiled, plan: null } : compiled;
}

class Compilation {
  readonly #source: Source;
  readonly #known: Known;
  readonly #constants = new Map<string, Constant>();
  readonly #predicates: Predicate[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #ids = new Map<string, number>();
  readonly #targets: Compiled["targets"] = [];
  /** What signals of class schedule go by; null in a team's document, since the organization's says. */
  #calendar: Calendar | null = null;
  #defaults: Action = {};
  readonly #effort = new Effort();

  constructor(source: Source, known: Known) {
    this.#source = source;
    this.#known = known;
  }

  run(): Compiled {
    const source = this.#source;
    const nothing: Compiled = { plan: null, targets: [], workspace: null, team: null };
    if (source.refused) return nothing;
    if (source.root === null) {
      source.errorAt(
        0,
        1,
        "empty",
        "the document is empty: it needs at least 'rules' or 'constraints'",
      );
      return nothing;
    }
    const top = source.known(source.root, "a policy", TOP_KEYS, misplacedAtTop);
    if (top === null) return nothing;
    const text = (member: Member | undefined, what: string): string | null =>
      member === undefined ? null : source.text(member.value ?? member.key, what, 1_000);
    const workspace = text(top.workspace, "workspace");
    const team = text(top.team, "team");
    text(top.name, "name");
    text(top.description, "description");
    if (top.version !== undefined) {
      source.number(
        top.version.value ?? top.version.key,
        "version",
        [0, Number.MAX_SAFE_INTEGER],
        true,
      );
    }
    if (top.constants !== undefined) this.#readConstants(top.constants);
    this.#checkNames(top.workspace, workspace, top.team, team);
    const isTeams = this.#known.team || team !== null;
    const calendar =
      top.schedule === undefined ? null : readCalendar(source, top.schedule, isTeams);
    this.#calendar = calendar ?? (isTeams ? null : DEFAULT_CALENDAR);
    const defaults = top.defaults === undefined ? {} : this.#readDefaults(top.defaults);
    this.#defaults = defaults;
    const constraints = top.constraints === undefined ? [] : this.#readConstraints(top.constraints);
    const rules = top.rules === undefined ? [] : this.#readRules(top.rules);
    if (top.rules === undefined && top.constraints === undefined && top.defaults === undefined) {
      source.error(source.root, "empty", "a policy needs 'rules', 'constraints' or 'defaults'");
    }
    checkRules(source, rules, this.#calendar);
    const live = rules.filter((each) => each.enabled);
    const plan: Plan = {
      engine: ENGINE,
      predicates: this.#predicates,
      calendar,
      constraints,
      rules: live.map((each) => ({ ...each.rule, when: this.#condition(each) })),
      defaults,
    };
    if (this.#predicates.length > MOST_PREDICATES) {
      source.error(
        source.root,
        "too_large",
        `a policy has at most ${MOST_PREDICATES} different predicates`,
      );
    }
    const { requests, targets } = statesOfPlan(plan);
    const states = requests + targets;
    if (states > MOST_STATES) {
      source.error(
        source.root,
        "too_large",
        `the patterns of this policy cost too much: ${states} states in all, and ${MOST_STATES} are the most`,
      );
    }
    return { plan, targets: this.#targets, workspace, team };
  }

  /** A document that names another place than the one where it is published was sent there by mistake. */
  #checkNames(
    workspaceAt: Member | undefined,
    workspace: string | null,
    teamAt: Member | undefined,
    team: string | null,
  ): void {
    const source = this.#source;
    const { names } = this.#known;
    if (names === null) return;
    if (workspace !== null && !names.workspace.includes(workspace)) {
      source.warn(
        workspaceAt?.value,
        "other_workspace",
        `this document says that it is for the workspace '${short(workspace)}', and this is '${names.workspace[0]}'`,
      );
    }
    if (team === null || names.team?.includes(team) === true) return;
    const place = names.team === null ? "the whole organization" : `the team '${names.team[0]}'`;
    source.error(
      teamAt?.value,
      "other_team",
      `this document says that it is for the team '${short(team)}', and it would bind ${place}: send it with ?team=${short(team)}, or change this line`,
    );
  }

  #readConstants(member: Member): void {
    const source = this.#source;
    const members = source.members(member.value, "constants");
    if (members === null) return;
    if (members.length > MOST_CONSTANTS) {
      source.error(member.key, "too_large", `a policy has at most ${MOST_CONSTANTS} constants`);
      return;
    }
    for (const { name, key, value } of members) {
      if (!/^[A-Za-z_]\w{0,63}$/.test(name)) {
        source.error(key, "bad_name", "a constant's name is letters, digits and _, as eu_regions");
        continue;
      }
      const read = readConstant(source, value, this.#constants, value ?? key);
      if (read !== null) this.#constants.set(name, read);
    }
  }

  #readDefaults(member: Member): Action {
    const source = this.#source;
    const members = source.known(member.value, "defaults", ACTION_KEYS);
    if (members === null) return {};
    const demands: Demand[] = [];
    const action = readAction(source, members, this.#known, demands);
    this.#demand("defaults", demands);
    return action;
  }

  #readConstraints(member: Member): Constraint[] {
    const source = this.#source;
    const items = source.list(member.value, "constraints", MOST_CONSTRAINTS);
    return (items ?? []).flatMap((node, index) => {
      const [members, odd] = this.#membersOf(
        node,
        "a constraint",
        CONSTRAINT_KEYS,
        misplacedInConstraint,
      );
      if (members === null) return [];
      const id = this.#id(members.id, `constraint-${index + 1}`, node);
      const enabled = this.#enabled(members.enabled);
      if (members.description !== undefined)
        source.text(members.description.value, "description", 1_000);
      const { when, require, forbid } = members;
      if (require === undefined && forbid === undefined && !odd) {
        source.error(node, "missing_key", "a constraint needs 'require' or 'forbid'");
      }
      const tree = when === undefined ? null : this.#when(when);
      const nothing = { entries: [], features: [] };
      const demanded = (which: "require" | "forbid", at: Member | undefined) =>
        at === undefined
          ? nothing
          : readEntries(source, at.value, which, this.#constants, this.#known);
      const required = demanded("require", require);
      const forbidden = demanded("forbid", forbid);
      if (tree !== null)
        warnOff(source, this.#known, when, tree, "applies to every request until it is on");
      if (!enabled) return [];
      if (tree !== null) warnAbsent(source, this.#known, when, tree);
      if (tree !== null)
        checkConstraint(source, when?.value, id, tree, this.#calendar, this.#effort);
      return [
        {
          id,
          line: source.lineOf(node),
          when: tree === null ? null : this.#indexed(tree),
          require: required.entries,
          forbid: forbidden.entries,
          features: required.features,
        },
      ];
    });
  }

  #readRules(member: Member): ReadRule[] {
    const source = this.#source;
    const items = source.list(member.value, "rules", MOST_RULES);
    return (items ?? []).flatMap((node, index) => {
      const [members, odd] = this.#membersOf(node, "a rule", RULE_KEYS, misplacedInRule);
      return members === null ? [] : [this.#readRule(node, members, odd, index)];
    });
  }

  #readRule(
    node: Node | null,
    members: Partial<Record<(typeof RULE_KEYS)[number], Member>>,
    odd: boolean,
    index: number,
  ): ReadRule {
    const source = this.#source;
    const id = this.#id(members.id, `rule-${index + 1}`, node);
    const enabled = this.#enabled(members.enabled);
    if (members.description !== undefined)
      source.text(members.description.value, "description", 1_000);
    const demands: Demand[] = [];
    const action = readAction(source, members, this.#known, demands);
    if (action.route === undefined) {
      checkThrottle(source, members.throttle, action, this.#defaults.route);
    }
    if (enabled) this.#demand(id, demands);
    if (!odd && !ACTION_KEYS.some((key) => members[key] !== undefined)) {
      source.error(
        node,
        "missing_key",
        `a rule needs something to do, as route, block or residency`,
      );
    }
    const { when, schedule, on_unknown: unknown } = members;
    const tree = when === undefined ? null : this.#when(when);
    const window =
      schedule === undefined ? null : readWindow(source, schedule, this.#calendar?.zone ?? "UTC");
    const said =
      unknown === undefined
        ? null
        : source.choice(unknown.value ?? unknown.key, "on_unknown", ["match", "skip"]);
    const protects =
      action.block !== undefined ||
      action.residency !== undefined ||
      action.on_redaction_fail === "block";
    if (tree !== null && enabled) warnAbsent(source, this.#known, when, tree);
    if (tree !== null && said === null && unknown === undefined)
      needsSaying(source, this.#known, when, tree, protects);
    const rule: Rule = {
      id,
      line: source.lineOf(node),
      when: null,
      onUnknown: said ?? (protects ? "match" : "skip"),
      action,
    };
    const sound =
      (when === undefined || tree !== null) && (schedule === undefined || window !== null);
    return { rule, node, when: tree, window, enabled, sound };
  }

  /** The members of a map, and whether it has others that are faults: then what is missing was meant by one of them. */
  #membersOf<Name extends string>(
    node: Node | null,
    what: string,
    names: readonly Name[],
    misplaced: (name: string) => string | undefined,
  ): [Partial<Record<Name, Member>> | null, boolean] {
    const before = this.#source.faults.length;
    const members = this.#source.known(node, what, names, misplaced);
    return [members, this.#source.faults.length > before];
  }

  #when({ key, value }: Member): Tree<Predicate> | null {
    const source = this.#source;
    if (isMap(value)) return readWhenMap(source, value, this.#constants);
    if (isScalar(value) && typeof value.value === "string" && value.value.trim() !== "") {
      return readWhenCel(source, value, value.value, this.#constants);
    }
    source.error(
      value ?? key,
      "wrong_type",
      "'when' is a map, as {identity.region: eu}, or a CEL expression in quotes; leave it out to match always",
    );
    return null;
  }

  #id(member: Member | undefined, standard: string, place: Node | null): string {
    const source = this.#source;
    const node = member?.value ?? member?.key ?? null;
    const id = member === undefined ? standard : (source.text(node, "id", 64) ?? standard);
    if (member !== undefined && !/^[A-Za-z0-9][\w.-]*$/.test(id)) {
      source.error(
        node,
        "bad_name",
        "an id is letters, digits, '.', '_' and '-', as pii-stays-inside",
      );
    }
    const earlier = this.#ids.get(id);
    if (earlier !== undefined) {
      const told =
        member === undefined
          ? `without an id this is '${id}', which line ${earlier} has taken: give it one`
          : `the id '${short(id)}' is taken in line ${earlier} already`;
      source.error(node ?? place, "duplicate_id", told);
    }
    this.#ids.set(id, source.lineOf(node ?? place));
    return id;
  }

  #enabled(member: Member | undefined): boolean {
    if (member === undefined) return true;
    return this.#source.flag(member.value ?? member.key, "enabled") ?? true;
  }

  #demand(rule: string, demands: readonly Demand[]): void {
    checkDemands(this.#source, demands, this.#known);
    for (const { name } of demands) this.#targets.push({ name, rule });
  }

  #condition({ when, window }: ReadRule): Condition | null {
    if (window === null) return when === null ? null : this.#indexed(when);
    const within: Predicate = { is: "within", window };
    return this.#indexed(when === null ? within : { all: [within, when] });
  }

  #indexed(tree: Tree<Predicate>): Condition {
    return mapTree(tree, (predicate): Tree<number> => {
      const print = fingerprint(predicate);
      const known = this.#indexes.get(print);
      if (known !== undefined) return known;
      const index = this.#predicates.push(predicate) - 1;
      this.#indexes.set(print, index);
      return index;
    });
  }
}
