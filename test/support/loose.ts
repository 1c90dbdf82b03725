/** JSON that a test reads as it comes: a recording, a request, an answer. */
export type Loose = Record<string, any>; // eslint-disable-line typescript/no-explicit-any -- JSON of any shape
