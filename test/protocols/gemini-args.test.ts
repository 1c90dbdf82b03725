import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartialArgs } from "../../worker/protocols/gemini/partial-args.ts";

describe("partial arguments", () => {
  test("any object comes out of its leaves", () => {
    const leaf = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const names = fc.string({ minLength: 1, unit: fc.constantFrom("a", "b", "é", "_", "-", " ") });
    const flat = fc.dictionary(names, fc.oneof(leaf, fc.boolean(), fc.constant(null)), {
      minKeys: 1,
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(fc.array(flat, { minLength: 1, maxLength: 4 }), (list) => {
        const args = new PartialArgs();
        for (const [index, object] of list.entries()) {
          for (const [name, value] of Object.entries(object)) {
            const jsonPath = `$.list[${index}]['${name}']`;
            if (typeof value === "string") {
              for (const stringValue of [value.slice(0, 1), value.slice(1)]) {
                args.add([{ jsonPath, stringValue, willContinue: true }]);
              }
            } else if (typeof value === "number") args.add([{ jsonPath, numberValue: value }]);
            else if (typeof value === "boolean") args.add([{ jsonPath, boolValue: value }]);
            else args.add([{ jsonPath, nullValue: null }]);
          }
        }
        expect(JSON.parse(args.text)).toEqual(JSON.parse(JSON.stringify({ list })));
      }),
    );
  });

  test.each(["$.a[99999999]", "$", "$.a[", "$x"])("the path %s leads nowhere", (jsonPath) => {
    expect(() => new PartialArgs().add([{ jsonPath, numberValue: 1 }])).toThrow();
  });

  test("no name reaches a prototype", () => {
    const args = new PartialArgs();
    args.add([{ jsonPath: "$.__proto__.polluted", stringValue: "x" }]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(args.text).toBe('{"__proto__":{"polluted":"x"}}');
  });
});
