// Providers that bill beyond what their prices and token limits say: what is set aside for them is raised.

/** By deployment, what its worst case is multiplied by: more than 1. */
export type Overbillings = Readonly<Record<string, number>>;

/** A deployment that billed beyond what its price and token limit say. */
export interface Overbilled {
  orgId: string;
  /** The request that showed it. */
  requestId: string;
  deployment: string;
  /** What its worst case is multiplied by from now on, more than 1. */
  factor: number;
}
