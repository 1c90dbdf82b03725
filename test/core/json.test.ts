import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scanJson, spliceJson } from "../../worker/core/json.ts";

const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 });

/**
 * `JSON.parse` is the oracle, and in V8 14.6 it may read an escaped name as a name that holds a backslash and stood at
 * the same place of an earlier object. So no name here holds one.
 */
const noBackslash = (json: string) => !json.includes("\\\\");

/** A JSON text of an object with odd whitespace and, often, duplicate names. */
const objectText = fc
  .tuple(
    fc.array(
      fc.record({
        name: fc
          .oneof(fc.constantFrom("model", "a", '"', "\n", "ключ", "{", ","), fc.string())
          .filter((name) => noBackslash(JSON.stringify(name))),
        value: fc.oneof(
          fc.json().filter(noBackslash),
          fc.string().map((text) => JSON.stringify(text)),
        ),
        around: fc.tuple(space, space, space, space),
        escaped: fc.boolean(),
      }),
      { maxLength: 8 },
    ),
    space,
    space,
    space,
  )
  .map(([members, before, inside, after]) => {
    const texts = members.map(({ name, value, around: [w, x, y, z], escaped }) => {
      const quoted = JSON.stringify(name);
      const written =
        escaped && /^"[a-z]+"$/.test(quoted)
          ? `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`
          : quoted;
      return `${w}${written}${x}:${y}${value}${z}`;
    });
    return `${before}{${texts.length === 0 ? inside : texts.join(",")}}${after}`;
  });

describe("scanJson", () => {
  test("finds each member where JSON.parse finds it", () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const found = Object.create(null) as Record<string, unknown>;
        for (const member of scanJson(text).members) {
          expect(text[member.start]).toBe('"');
          Object.defineProperty(found, member.name, {
            value: JSON.parse(text.slice(member.valueStart, member.valueEnd)),
            enumerable: true,
            configurable: true,
            writable: true,
          });
        }
        const parsed = JSON.parse(text) as Record<string, unknown>;
        expect(Object.keys(found)).toEqual(Object.keys(parsed));
        for (const key of Object.keys(parsed)) expect(found[key]).toEqual(parsed[key]);
      }),
      { examples: [['{"a\\":b":1,"a":{"b":[1,"}"]}}']] },
    );
  });

  test("depth is the deepest nesting, strings not counted, open ends included", () => {
    expect(scanJson("1").depth).toBe(0);
    expect(scanJson('{"a":"[[[["}').depth).toBe(1);
    expect(scanJson('[[{"a":[]}]]').depth).toBe(4);
    expect(scanJson("[".repeat(100_000)).depth).toBe(100_000);
  });

  test("only the outermost object's members are listed", () => {
    expect(scanJson('[{"a":1}]').members).toEqual([]);
    expect(scanJson('{"a":{"b":1}}').members.map((member) => member.name)).toEqual(["a"]);
  });
});

describe("spliceJson", () => {
  const sorted = (members: Map<string, unknown>) =>
    [...members].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const splice = (text: string, set: Record<string, string>, remove: string[] = []) =>
    spliceJson(text, scanJson(text).members, set, new Set(remove));

  test("set and remove mean the same as on the parsed object", () => {
    fc.assert(
      fc.property(
        objectText,
        fc.subarray(["a", '"', "{", "ключ"]),
        fc.dictionary(fc.constantFrom("model", "new", "\t"), fc.json().filter(noBackslash), {
          noNullPrototype: true,
        }),
        (text, remove, set) => {
          const expected = new Map(
            scanJson(text).members.map((member) => [
              member.name,
              JSON.parse(text.slice(member.valueStart, member.valueEnd)) as unknown,
            ]),
          );
          for (const name of remove) expected.delete(name);
          for (const [name, value] of Object.entries(set)) expected.set(name, JSON.parse(value));
          const out = splice(text, set, remove);
          expect(() => JSON.parse(out)).not.toThrow();
          const got = new Map(
            scanJson(out).members.map((member) => [
              member.name,
              JSON.parse(out.slice(member.valueStart, member.valueEnd)) as unknown,
            ]),
          );
          expect(sorted(got)).toEqual(sorted(expected));
        },
      ),
    );
  });

  test("other bytes stay, odd spacing included", () => {
    const text = '{ "a" : 1 ,\n "model":"x" , "b":[ 1 , 2 ] }';
    expect(splice(text, { model: '"y"' })).toBe('{ "a" : 1 ,\n "model":"y" , "b":[ 1 , 2 ] }');
    expect(splice(text, {}, ["model"])).toBe('{ "a" : 1 , "b":[ 1 , 2 ] }');
    expect(splice(text, {}, ["a"])).toBe('{ "model":"x" , "b":[ 1 , 2 ] }');
    expect(splice(text, { c: "3" })).toBe('{ "a" : 1 ,\n "model":"x" , "b":[ 1 , 2 ],"c":3 }');
  });

  test("a null usage is cut with its comma and nothing else", () => {
    expect(splice('{"id":"1","choices":[],"usage":null}', {}, ["usage"])).toBe(
      '{"id":"1","choices":[]}',
    );
    expect(splice('{"usage":null,"id":"1"}', {}, ["usage"])).toBe('{"id":"1"}');
    expect(splice('{"usage":null}', {}, ["usage"])).toBe("{}");
    expect(splice('{"usage":null,"usage":null}', { x: "1" }, ["usage"])).toBe('{"x":1}');
  });

  test("a member named like a built-in is no built-in", () => {
    expect(splice('{"constructor":1,"__proto__":2}', { a: "3" })).toBe(
      '{"constructor":1,"__proto__":2,"a":3}',
    );
  });
});
