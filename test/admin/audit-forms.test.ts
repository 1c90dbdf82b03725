import { expect, it } from "vitest";
import { recordsAs } from "../../worker/admin/audit-forms.ts";
import type { ShownRecord } from "../../worker/core/audit.ts";

/** The cells of a file as RFC 4180 has it. */
function cells(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
  )) {
    row.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

it("a log as CSV keeps every cell, and none of them is a formula", () => {
  const ids = ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "＝1+1", "＠x", 'a"b,c', "é\r\n字", "plain"];
  const records = ids.map((id) => ({
    event_id: "evt_1",
    customer_id: id,
    status: -1,
    updated_values: { note: id },
  }));
  const { text } = recordsAs("csv", records as unknown as ShownRecord[]);
  const [names = [], ...rows] = cells(text);
  const column = (name: string) => rows.map((row) => row[names.indexOf(name)]);
  expect(column("customer_id")).toEqual(ids.map((id) => (/^[\w a-zé]/.test(id) ? id : `'${id}`)));
  // A number is no text: it stays one.
  expect(column("status")).toEqual(ids.map(() => "-1"));
  expect(column("details").map((each) => JSON.parse(each ?? "") as object)).toEqual(
    ids.map((note) => ({ updated_values: { note } })),
  );
});
