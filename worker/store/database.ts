import { sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Statement } from "../core/ports.ts";

/** The record. Reads run on it; writes only come out of it as statements of a change. */
export type Db = DrizzleD1Database;

export function openDb(d1: D1Database): Db {
  return drizzle(d1);
}

/** Builds statements; it has no database behind it and can run none. */
export const writer: Db = drizzle({} as D1Database);

/** More bound values than this are refused by D1 and by object storage (PLATFORM 10). */
const MAX_PARAMETERS = 100;

/** The plain form of a built query, ready to be sent as part of a change. */
export function statement(query: { toSQL(): { sql: string; params: unknown[] } }): Statement {
  const { sql, params } = query.toSQL();
  if (params.length > MAX_PARAMETERS) {
    throw new RangeError(
      `A statement has ${params.length} parameters; ${MAX_PARAMETERS} are allowed.`,
    );
  }
  return { sql, params: params.map(bound) };
}

function bound(value: unknown): string | number | null {
  if (typeof value === "string" || typeof value === "number") return value;
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  throw new TypeError(`A statement can't carry a value of type ${typeof value}.`);
}

/** True for rows whose column has one of these values; one parameter, however many they are (PLATFORM 10). */
export function among(column: AnySQLiteColumn, values: readonly string[]): SQL {
  return sql`${column} in (select value from json_each(${JSON.stringify(values)}))`;
}

/** Which part of a listing is wanted. */
export interface PageRequest {
  /** From 1. */
  page?: number;
  /** 10 if absent, 100 at most. */
  page_size?: number;
}

/** One part of a listing. */
export interface Page<Row> {
  rows: Row[];
  total: number;
  page: number;
  page_size: number;
  total_pages: number;
}

const PAGE_SIZE = 10;
const MAX_PAGE_SIZE = 100;

interface Listing<Row> {
  limit(count: number): { offset(start: number): PromiseLike<Row[]> };
}

/** Runs an ordered select for one page; `where` must be the select's own condition. */
export async function page<Row>(
  request: PageRequest,
  total: PromiseLike<number>,
  rows: Listing<Row>,
): Promise<Page<Row>> {
  const size = clamp(request.page_size ?? PAGE_SIZE, MAX_PAGE_SIZE);
  const number = clamp(request.page ?? 1, Number.MAX_SAFE_INTEGER / MAX_PAGE_SIZE);
  const [count, found] = await Promise.all([total, rows.limit(size).offset((number - 1) * size)]);
  return {
    rows: found,
    total: count,
    page: number,
    page_size: size,
    total_pages: Math.ceil(count / size),
  };
}

function clamp(value: number, most: number): number {
  return Number.isFinite(value) ? Math.max(1, Math.min(Math.floor(value), Math.floor(most))) : 1;
}

/** Conditions of a query; `undefined` ones do not count. */
export type Condition = SQL | undefined;
