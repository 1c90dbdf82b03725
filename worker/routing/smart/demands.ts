import { AT_OPTIONS, type Features } from "./features.ts";

/** Ways of asking for care: what is short to say and long to do. */
const THOROUGH =
  /\bin (?:great |more |full )?(?:detail|depth)\b|\bin-depth\b|\b(?:comprehensive|thorough|rigorous|exhaustive)(?:ly)?\b|\bfrom first principles\b|\broot causes?\b|\b\d{1,2},?\d{3}[- ]words?\b/;
/** Work that somebody answers for: a verb of the trade, and its matter. */
const PROFESSIONAL =
  /\b(?:draft|review|analy[sz]e|assess|evaluate|design|develop|propose|critique|negotiate|audit|interpret|diagnose|investigate|prepare)\b.{0,80}\b(?:contracts?|clauses?|agreements?|liabilit(?:y|ies)|compliance|gdpr|lawsuits?|litigation|financial (?:statements?|models?)|balance sheets?|cash flows?|valuations?|portfolios?|tax (?:return|strategy|treatment)|business (?:plan|case)|go-to-market|due diligence|clinical|patients?|medications?|dosages?|drug interactions?|research (?:proposal|paper|design)|incidents?|outages?|threat models?|risks)\b|\b(?:locks? up|crash(?:es|ed)?|hangs?|times? out|fails?|slow|stuck)\b.{0,80}\b(?:find out why|why|propose a fix|how do i fix|what is wrong|root cause)\b/s;

/** Questions that are short to ask and that only an expert answers well. */
const EXPERT =
  /\bdifferential diagnos[ei]s\b|\b(?:tax|legal) (?:consequences|implications|risks|liability|position)\b|\bcritically\b|\bcritique\b|\boptimal (?:strateg(?:y|ies)|polic(?:y|ies)|control)\b|\b(?:mixed[- ])?integer (?:linear )?program|\bderive (?:the|an?|from)\b|\b(?:field|navier-stokes|maxwell'?s|schr[oö]dinger|wave) equations?\b|\b(?:nash|general) equilibri(?:um|a)\b/;

const OF_THOROUGH = 0.1;
const OF_PROFESSIONAL = 0.25;
const OF_EXPERT = 0.2;
const END = 240;

/**
 * What the words of a prompt's ends ask for beyond its task, added to the raw need by hand. A question with answers to
 * choose from orders no work, whatever it is about.
 */
export function demandOf(text: string, { dense }: Pick<Features, "dense">): number {
  if ((dense[AT_OPTIONS] ?? 0) > 0) return 0;
  const head = text.slice(0, END).toLowerCase();
  const tail = text.length > END ? text.slice(-END).toLowerCase() : "";
  const has = (pattern: RegExp) => pattern.test(head) || (tail !== "" && pattern.test(tail));
  return (
    (has(THOROUGH) ? OF_THOROUGH : 0) +
    (has(PROFESSIONAL) ? OF_PROFESSIONAL : has(EXPERT) ? OF_EXPERT : 0)
  );
}
