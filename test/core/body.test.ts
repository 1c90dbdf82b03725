import { expect, test } from "vitest";
import { declaredLength, readText } from "../../worker/core/body.ts";

const lengthOf = (headers: Record<string, string>) => declaredLength(new Headers(headers));

test("a body is held to its declared length only where nothing else makes up its bytes", () => {
  expect(lengthOf({ "content-length": "1200" })).toBe(1200);
  expect(lengthOf({})).toBeNull();
  for (const text of ["", "-1", "1e3", "0x10", "12, 12", "abc"]) {
    expect(lengthOf({ "content-length": text })).toBeNull();
  }
  expect(lengthOf({ "content-length": "12", "transfer-encoding": "chunked" })).toBeNull();
  expect(lengthOf({ "content-length": "12", "content-encoding": "gzip" })).toBeNull();
});

test("a body in one piece is counted, limited and decoded like one in pieces", async () => {
  for (const headers of [{ "content-length": "5" }, new Headers()]) {
    const request = (body: BodyInit) =>
      new Request("http://gateway/", { method: "POST", headers, body });
    const counted: number[] = [];
    const read = await readText(request("h\u00e9ll"), 5, (bytes) => counted.push(bytes));
    expect(read).toEqual({ text: "h\u00e9ll", bytes: 5 });
    expect(counted).toEqual([5]);
    // Longer than it says.
    await expect(readText(request("123456"), 5)).rejects.toMatchObject({
      kind: "request_too_large",
    });
    const broken = new Uint8Array([0x7b, 0xff, 0x7d]);
    await expect(readText(request(broken), 5)).rejects.toMatchObject({ kind: "invalid_request" });
  }
});
