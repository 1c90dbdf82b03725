/**
 * How many records and messages the consumers and objects of this isolate have set aside, because no retry could bring
 * them into the record. Objects know no request's `Isolate`, so that the count stands by itself.
 */
export const setAside = { count: 0 };
