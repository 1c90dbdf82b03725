import { SMALL_TALK, withoutCourtesies } from "./small-talk.ts";

/** The kinds of task that a prompt can be, in a fixed order: weights and learned counts are kept by it. */
export const CATEGORIES = [
  "knowledge",
  "math",
  "code",
  "reasoning",
  "reading",
  "summarize",
  "rewrite",
  "translate",
  "writing",
  "classify_extract",
  "chat",
] as const;

/** What a prompt counts as that no rule names. */
export const UNRULED = "knowledge";

export type Category = (typeof CATEGORIES)[number];

/** How many characters of each end the rules look at: instructions stand at an end. */
export const END = 240;

interface Rule {
  category: Category;
  /** Which end has to match; `either` is the first or the last characters. */
  at: "head" | "tail" | "either";
  /** Over lower-case text. No nested quantifiers: each runs in time linear in `END`. */
  pattern: RegExp;
  /** Has to match the same end, too. */
  also?: RegExp;
  /** Must not match the same end. */
  but?: RegExp;
  /** Chance that the rule is right, by our own reading. */
  confidence: number;
  /** What the rule adds to the raw need, by hand: it tells more than the task does. */
  shift?: number;
  /** The whole prompt may be at most this long. */
  most?: number;
  least?: number;
}

const LANGUAGES =
  "english|french|german|spanish|italian|portuguese|dutch|russian|ukrainian|polish|czech|turkish|arabic|hebrew|hindi|bengali|urdu|persian|chinese|mandarin|cantonese|japanese|korean|vietnamese|thai|indonesian|malay|swedish|norwegian|danish|finnish|greek|latin|romanian|hungarian|swahili|tamil|telugu";

/** What tells of software that is hard to get right, and what tells that it is software at all. */
const HARD =
  "race conditions?|data races?|dead-?lock(?:s|ed)?|live-?locks?|leak(?:s|ing)?|flaky|(?:crash|error) recovery|out of memory|oom-?killed|use-after-free|lock-free|wait-free|lineari[sz]ab\\w+|thread-?safe\\w*|concurren\\w+|async|exactly-once|idempoten\\w+|(?:zero|without|no) (?:downtime|outage)|monolith|refactor|re-?architect|migrat(?:e|ing|ion)|legacy|consensus|raft|paxos|shard(?:s|ed|ing)?|replicat(?:e|ed|ion)|distributed|multi-region|micro-?services?|incremental(?:ly)?|back-?pressure|throughput|latency|scalab\\w+|query plan\\w*|allocator|compiler|parser|garbage collect\\w+|under load|mutex(?:es)?|goroutines?|b-tree|cuda|simd";
const LANGUAGE =
  "python|javascript|js|typescript|java|golang|rust|kotlin|swift|scala|ruby|php|perl|haskell|sql|postgres(?:ql)?|mysql|bash|powershell|css|html|react|django|node(?:\\.js)?";
const SOFTWARE = `${LANGUAGE}|services?|workers?|apis?|databases?|tables?|rows?|quer(?:y|ies)|caches?|queues?|tests?|ci|servers?|pods?|kubernetes|code|codebase|modules?|class(?:es)?|handlers?|endpoints?|kernel|auth|sessions?|heap|files?|indexe?s?|consumers?|functions?|lines?|transactions?|locks?|redis|kafka|etcd|rabbitmq|partitions?`;
/** Two words of the first kind, or one with one of the second. */
const DEMANDING = new RegExp(
  `\\b(?:${HARD})\\b.{1,160}\\b(?:${HARD}|${SOFTWARE})\\b|\\b(?:${SOFTWARE})\\b.{1,160}\\b(?:${HARD})\\b`,
  "s",
);

/** Code that fits on a line or two: asked as a question for a way, or one of those that every programmer has written. */
const SMALL =
  /^\W*(?:how (?:do|can|would|should) (?:i|you|we)\b|how to\b|what does\b|what is the (?:command|syntax)\b|(?:git|sql|bash|shell|linux) (?:command|query|snippet)\b|(?:convert|remove|get|loop|iterate|print|reverse|sort|check|round|join|split|sum|count|parse|format|center|align|append|merge|swap|select) (?:an?|the|my|all|over|through|two|duplicates?|length|from|if|whether|hello)\b)|\bhello,? world\b|\bfizz ?buzz\b|\bone-?liners?\b|\bthat (?:counts?|lists?|selects?|deletes?|prints?) (?:all |the |every |number of )*(?:rows|files|records|duplicates|tables|lines|words|users)\b|\b(?:adds?|sums?|swaps?|multipl(?:y|ies)) (?:up )?(?:two|2) (?:numbers|integers|variables)\b|\bregex\b.{0,30}\b(?:zip ?codes?|phone numbers?|e-?mail|dates?|digits?)\b|\b(?:number|it|string|list) is (?:even|odd|empty)\b|\bfor loop from\b/s;
const ABOUT_CODE = new RegExp(
  `\\b(?:${LANGUAGE}|function|script|regex|query|command|div|shell|git|loop|array|chmod|c\\+\\+|c#)(?![\\w+#])`,
);

/** Code itself, whatever is asked of it: declarations, calls, tags, style rules, file names and the heads of a diff. */
const CODE_ITSELF =
  /\b(?:const|let|var) \w+ ?=[^=]|=> ?[{(\w]|\bfunction ?\(|\b(?:public|private|protected) (?:static |final )*(?:class|void|int|string|boolean)\b|\bfor ?\(\w|\bif ?\([^)]{1,60}\) ?\{|\bfor \w+ in [\w.()]{1,30}:|\b(?:print(?:ln|f)?|console\.log|len|range|require)\(|\breturn [^.?!]{1,40};|<\/?(?:div|span|html|body|button|input|form|table|script)\b[^>]{0,60}>|[\w.#] ?\{ ?[\w-]+: ?[^;{}]{1,40};|(?:^|\n)[+-]{3} [ab]\/|\b[a-z_]\w{1,30}\.[a-z_]\w{1,30}\(|\b[\w/-]{1,60}\.(?:tsx?|jsx?|py|go|rs|java|cpp|rb|php|cs|kt|swift|sql|sh|ya?ml)\b|\b(?:package|tsconfig|composer)\.json\b|#!\/bin\//;
/** What only programmers talk of, and what is asked of those who work in a repository. */
const OF_PROGRAMMERS =
  /\bcron(?: ?jobs?|tab| expressions?)?\b|\b(?:pandas|numpy|dataframes?|fastapi|laravel|tailwind|webpack|pytest|pyspark|mongodb|postgres(?:ql)?|mysql|sqlite|nginx|systemd|vim|cmake|vba|openapi|protobuf|json schema)\b|\b(?:excel|google sheets?|spreadsheet)\b.{0,40}\b(?:formula|macro|function|cell|column|lookup)|\b(?:in|across|through|search|open|clone|from) (?:the|this|our|my) (?:repo(?:sitory)?|code ?base)\b|\brun (?:the |all )?(?:unit |integration )?(?:tests|linter|test suite|npm|pytest|build)\b|\bpull requests?\b|\bopen a pr\b|\btime complexity\b|\bbig[- ]o\b/;
/** Texts that people order, told right behind the verb: what they are about names no task. */
const TEXTS =
  /^\W*(?:write|draft|compose|create|generate|prepare) (?:me |us )?(?:(?:an?|the|my|our|some|\d+) )?(?:[\w-]+ ){0,2}(?:job (?:ad|posting|description|offer)|cover letter|e-?mail|poem|story|blog post|article|speech|essay|letter|press release|tweet|limerick|haiku|song|toast|eulogy|slogan|tagline|newsletter)s?\b(?!['’-]|,? (?:for|to|about|of) (?:the|this) following|:? ?(?:summar|valid|pars|generat|template|regex|schema|class|function|service|api|handler|sender|client|bot|app|form|tool|script|classif)\w*)/;

/** Something to be proved of the things that mathematicians speak of. */
const TO_PROVE =
  /\b(?:(?:dis)?prove\b.{0,20}\b(?:that|the|using|by)|(?:show|demonstrate|deduce) that)\b.{0,200}\b(?:groups?|subgroups?|rings?|fields?|(?:metric|vector|topological|banach|hilbert|compact) spaces?|compact|separable|solvable|continuous|differentiable|converges?|convergent|primes?|integers?|(?:ir)?rational|infinitely|bijecti\w+|injecti\w+|matri(?:x|ces)|eigenvalues?|graphs?|manifolds?|theorem|hypothesis|conjecture|lemma|measurable|abelian|cyclic|divisible|bounded|dense|sequences?|polynomials?|inequality|np-(?:hard|complete)|homomorphisms?|isomorphi\w+)\b/s;

/** Ordered: the first that matches names the category. */
const RULES: readonly Rule[] = [
  {
    category: "chat",
    at: "head",
    most: 120,
    confidence: 0.9,
    pattern: SMALL_TALK,
  },
  {
    category: "reasoning",
    at: "either",
    confidence: 0.9,
    pattern:
      /\b(?:translations? (?:of .{0,80} )?(?:in|into) (?:pl|predicate logic|propositional logic|first-order logic)|truth tables?|propositional logic|predicate logic|(?:following|this) argument (?:form|is valid|valid|sound))\b/s,
  },
  {
    category: "code",
    at: "head",
    confidence: 0.9,
    pattern: new RegExp(
      `\\b(?:translate|convert|port|transpile|migrate)\\b.{0,60}\\b(?:to|into|in) (?:\\w+ )?(?:${LANGUAGE}|c\\+\\+|c#|go)(?![\\w-])|\\btranslate (?:this|the|my|following) (?:[\\w+#]+ )?(?:code|function|method|script|class|query|snippet)\\b`,
      "s",
    ),
  },
  {
    category: "translate",
    at: "either",
    confidence: 0.95,
    pattern: new RegExp(
      `\\btranslat(?:e|ed|ion|ing)\\b(?<!\\bsummar\\w{1,6}.{0,40}\\btranslat\\w{1,3}).{0,80}\\b(?:in ?to|to|from|in|as|the (?:following|text|sentence)|this|:)|\\b(?:how (?:do|would|can) (?:you|i|we) say|what is the word for|say this in)\\b.{0,60}\\b(?:${LANGUAGES})\\b|\\b(?:${LANGUAGES}) ?(?:->|=>|→|to) ?(?:${LANGUAGES})\\b`,
      "s",
    ),
  },
  { category: "writing", at: "head", confidence: 0.9, pattern: TEXTS },
  {
    category: "math",
    at: "either",
    confidence: 0.9,
    shift: 0.2,
    pattern: TO_PROVE,
    but: new RegExp(`\\b(?:implement|write|build|${LANGUAGE}|c\\+\\+|lock-free)(?![\\w+])`),
  },
  { category: "code", at: "either", confidence: 0.9, shift: 0.2, pattern: DEMANDING },
  {
    category: "code",
    at: "head",
    most: 120,
    confidence: 0.85,
    shift: -0.2,
    pattern: SMALL,
    also: ABOUT_CODE,
  },
  {
    category: "code",
    at: "either",
    confidence: 0.93,
    pattern:
      /```|\b(?:write|implement|in|using|with|for|my|fix|port)\b.{0,40}\bc(?:\+\+|#)|\b(?:write|implement|create|develop|build|fix|debug|refactor|optimi[sz]e|complete|give|need|explain|review|generate|convert)\b.{0,50}\b(?:function|program|python|javascript|typescript|java|golang|rust|sql|bash|shell script|regex|regular expression|script|class method|api endpoint|unit tests?|code|algorithm|react component|query|html|css|dockerfile|makefile|stored procedure)\b|\btraceback \(most|\b(?:fix|debug|write|add|run|repair)\b.{0,30}\b(?:failing|broken|flaky|unit|integration|regression|e2e) tests?\b|\bdef [a-z_]\w*\(|\bfunction \w*\(|\bselect\b.{1,60}\bfrom \w+|\bstack ?trace\b|\bimport (?:numpy|pandas|react|os|sys|torch)\b|\bundefined is not\b|\bsegmentation fault\b|\bnull ?pointer\b|\b(?:type|syntax|reference|value|key|index|attribute|name|runtime|import|io)error\b|\w+exception\b|\bnpm (?:install|run|err)|\bpip install\b|\bgit (?:rebase|merge|commit|push|pull|diff)\b|\bkubectl\b|\bdocker(?:file| compose| run)\b|\b(?:design|architect)\b.{0,80}\b(?:system|service|api|schema|database|limiter|queue|architecture|pipeline|microservices?|cache|data model)\b|#include *<|\bpublic static void\b|\b(?:debug|refactor|unit-?test|deserialize|monkey-?patch)\b (?:this|the|my|our|a|an|why)\b|\b(?:kubernetes|k8s|goroutines?|mutex|garbage collector|merge conflicts?|stack overflow|segfaults?|micro-?services?|webhooks?|jwt|crashloopbackoff|core dump|terraform|ci pipeline|docker)\b|\b(?:in|using|with) (?:python|javascript|typescript|golang|rust|kotlin|php|sql|bash|css|django|node\.js)\b|\b(?:sql|graphql|cypher) quer(?:y|ies)\b|\bprofile\b.{0,40}\b(?:service|leak|cpu|memory|hot path)\b/s,
  },
  { category: "code", at: "either", confidence: 0.9, pattern: OF_PROGRAMMERS },
  { category: "code", at: "either", confidence: 0.9, pattern: CODE_ITSELF },
  {
    category: "reading",
    at: "head",
    least: 160,
    confidence: 0.85,
    pattern:
      /\b(?:extract|find|give|write|tell me) the (?:correct |right |exact )?answers? (?:to|for) (?:the|this|each|following)\b.{0,40}\b(?:question|context|passage|paragraph|article)s?\b(?!.{0,40}\bplot\b)/s,
  },
  {
    category: "writing",
    at: "either",
    confidence: 0.9,
    pattern:
      /\b(?:write|generate|create|expand|compose|develop|draft)\b.{0,60}\b(?:story|article|essay|plot|narrative|post)\b.{0,50}\b(?:from|based on|given|using|around|with|out of) (?:the |this |these |a |following |given |key |plot |short )*(?:summary|highlights?|key points?|points|title|headline|outline|bullet)/s,
  },
  {
    category: "classify_extract",
    at: "either",
    confidence: 0.93,
    pattern:
      /\b(?:positive or negative|negative or positive|sentiment|positive, negative|good or bad review|favou?rable or|did the (?:reviewer|customer|writer|author|user) (?:like|enjoy|find)|(?:reviewer|viewer|critic|author of this review|customer)\b.{0,40}\b(?:feel|feeling|opinion|express|satisf|enjoy)|(?:is|was) (?:this|the|that) (?:product |movie |user |customer )?(?:review|comment|message|email|tweet|post|text)\b.{0,40}(?:positive|negative|spam|toxic|about|good|bad|offensive)|on a scale (?:of|from)|how (?:would|many stars).{0,30}\b(?:rate|stars?)|star rating|\bstars\b.{0,20}\b(?:review|give|rating)|rating (?:out of|from)|are (?:they|these|those|the two|these two)\b.{0,40}\b(?:duplicates?|equivalent|the same|paraphrases?|same thing|asking)|(?:express|mean|convey|have|asking|ask) the same (?:meaning|thing|question|content|idea)|same meaning\?|is a (?:correct )?(?:duplicate|paraphrase) of|can (?:we|you|i) (?:rewrite|replace) sentence|which (?:category|section|topic|label|class|genre|department|department|of the following (?:categories|topics|sections|labels|genres))|(?:pick|choose|select|assign|decide|determine|identify|predict|give|find) (?:the |a |an |one |its |most |best |correct |right |suitable |appropriate )*(?:category|label|topic|class|genre|sentiment|intent|emotion|section)|(?:what|which)\b.{0,30}\b(?:category|label|topic|genre|intent|class|section of a newspaper)\b.{0,40}(?:best|describe|belong|fit|of th|is|would|does|asked)|\bclassify\b|categori[sz]e|\bextract (?:all|the|every|each|any|names?|entit|dates?|email|key|answer|from\b(?!.{0,40}:))|\bkeywords (?:of|for|from|in) (?:this|the)\b|\btag (?:each|the|every)|named entit|\blabel (?:the|this|each)|list all (?:the )?(?:people|names|dates|entities|companies|places|persons|organi)|true, false,? or|entail|is it (?:spam|toxic|sarcastic)|does this (?:text|review|message|sentence) (?:express|contain|mention)|yes or no\?\s*$|(?:into|return|as|to|in) (?:a )?(?:json|csv)\b)/s,
  },
  {
    category: "summarize",
    at: "either",
    confidence: 0.94,
    pattern:
      /\bsummar(?:y|i[sz]e|ies|i[sz]ing|i[sz]ed|i[sz]ation)\b(?! and )|\btl ?;? ?dr\b|\bin a nutshell\b|\b(?:key|main|major|important) (?:points?|takeaways?|ideas?|highlights?|facts)\b(?!.{0,30}\b(?:write|story from)\b)|\bsum (?:it |this |that )?up\b|\b(?:condense|distill?|boil)\b.{0,60}\b(?:down|into|articles?|text|document)|\bsynthesi[sz]e (?:these|the|this|all|those)\b|\bgive (?:me )?(?:the )?(?:gist|highlights|brief|outline|abstract)\b|\bgist of\b|\bin (?:one|two|three|a few|[1-5]|2 or 3|\d) (?:short |brief |concise )?(?:sentences?|bullet points?|lines?|words|bullets)\b|\b(?:shorten|abridge)\b|\bbrief(?:ly)? (?:description|recap|describe|overview) of (?:the|this) (?:text|article|document|passage|news)|\bgenerate (?:a )?(?:title|headline) for this article|\brecap\b|\bminutes of\b.{0,30}meeting|\bcard view\b|\bmerge (?:these|the following) (?:articles|documents)|\bedit down\b|\bwhat (?:is|was|are) (?:this|the) (?:article|text|document|news|passage|story) about\b|\bmain (?:topic|theme)s? of|\b(?:give|write|provide|make|need|prepare|create|take)\b.{0,30}\b(?:abstract|synopsis|minutes)\b|\boverview of (?:the|this|these) (?:above|below|following)|\b(?:in brief|in short|briefly)\b.{0,60}\b(?:paragraph|text|article|letter|e?mail|document|passage|says?|said|written)\b|\b(?:says?|said|about|written),? (?:in short|in brief|briefly|in a few words)\b|\bshort(?:er)? version\b/s,
  },
  {
    category: "rewrite",
    at: "either",
    confidence: 0.92,
    pattern:
      /\b(?:paraphras(?:e|ing)|rephras(?:e|ing)|reword|re-?write|proofread|copy-?edit)\b|\b(?:write|make|give|create|generate|suggest|come up with|what is|what would be|think of|choose) (?:me )?(?:a |an |the |one |some |good |catchy |short |suitable |possible |better )*(?:title|headline)s?\b|\b(?:correct|fix|improve|polish) (?:the |my |this |any |all )*(?:grammar|spelling|writing|style|text|sentence|paragraph|email|punctuation|wording|errors in)|\b(?:make|turn|change|convert|put) (?:this|it|the following|the sentence|the text|my)\b.{0,60}\b(?:formal|informal|polite|shorter|longer|simpler|professional|friendl|concise|active voice|passive voice|past tense|sound|present tense|third person|neutral|inclusive|better|clearer|natural|fluent|persuasive|nicer|wordy)|\bsimplify (?:this|the following|the) (?:text|sentence|paragraph|passage)|\bin other words\s*[:,]|\bsay (?:this|the same thing) (?:differently|in another way|in a different)|\banother way (?:to|of) say|\bsame (?:sentence|text|thing) (?:in|with|using) (?:other|different) words/s,
  },
  {
    category: "writing",
    at: "either",
    confidence: 0.9,
    pattern:
      /\b(?:write|compose|generate|create|draft|build|make|craft|produce|develop|invent|imagine|give me|come up with|expand|construct|form) (?:me |us |up )?(?:a |an |the |some |my |your |one |two |three |five |ten |\d+ |this |another |new |short |long |brief |funny |creative |expanded |persuasive |professional |formal |detailed |original |possible |plausible |small |simple |coherent |compelling |blog |love |cover |movie |news |product |marketing |thank you |opening |\w+-word |\d[\d,]*[- ]words? )*(?:story|stories|essay|article|poem|poems|letter|email|e-mail|haiku|limerick|song|lyrics|speech|blog|post|tweet|paragraph|sentences?|plot|script|dialogue|monologue|review|description|descriptions|slogan|tagline|slogans|taglines|advertisement|ad copy|joke|jokes|names?|ideas|toast|caption|captions|novel|scene|chapter|screenplay|narrative|storyline|report|proposal|resume|cv|biography|bio|press release|message|invitation|outline|announcement|pitch|itinerary|recipe|question about|fairy tale|conversation|text)\b|\bput the (?:concepts|words|following)\b|\b(?:using|containing|with|from) (?:all )?(?:of )?(?:the|these|those) (?:following )?(?:words|concepts|keywords)\b|\bwrite (?:about|an? \w+ (?:about|on|of|for))\b|\bbrainstorm\b|\bstory ?line\b|\bkey plot points\b|\bcontinue (?:the|this) (?:story|text)|\bdetails would you include\b|\bideas? for\b.{0,60}\b(?:concepts|words|write|text|party|blog|sentence)|\bwrite (?:me|us) |\bhelp me write\b|\bsentence (?:that|which) (?:contains|includes|uses|has)|^[a-z]+(?:, [a-z]+){2,40}\.?\s*$/s,
  },
  {
    category: "math",
    at: "either",
    confidence: 0.9,
    pattern:
      /\$[^$]{0,120}[\\^_=+<>{}][^$]{0,120}\$|\\(?:frac|sqrt|begin|cdot|left|text|boxed|overline|angle|int|sum|binom)\b|\[asy\]|\b(?:solve|simplify|factor|evaluate|compute|calculate|differentiate|integrate|find)\b.{0,60}(?:\d+ ?[-+*/^=×÷] ?\d*|[xyzn] ?[-+^=])|\bleast common multiple\b|\bgreatest common (?:divisor|factor)\b|\bhow many (?:ways|positive|integers|different|distinct|digits|prime|factors|divisors)\b|\bprove that\b.{0,80}(?:\d|integer|prime|real|function|for all)|\bprove that (?:every|all|any|no|each)\b.{0,60}\b(?:finite|group|ring|field|domain|space|graph|matrix|sequence|series|set)\b|\b(?:perimeter|hypotenuse|circumference|polynomial|quadratic|derivative|integers?|remainder when|probability that|degrees? in the|base (?:\d|ten|two)|units digit|real numbers?)\b.{0,140}\b(?:\d|what|find|how|value|express)|\bprove\b.{0,60}\b(?:theorem|lemma|conjecture|inequality)\b|\b(?:solve|evaluate|compute|find|calculate)\b.{0,40}\b(?:integrals?|equations?|derivatives?|eigenvalues?|determinant|inequality|recurrence)\b|\bround(?:ed)? (?:your answer )?to the nearest\b|^\W*(?:what is |what's )?[\d\s().,]+[-+*/^x×÷%][\d\s().+\-*/^x×÷%=?,]+$/s,
  },
  {
    category: "reasoning",
    at: "either",
    confidence: 0.88,
    pattern:
      /\b(?:there are \w+ houses|odd one out|analogy|(?:puzzle|alibi|brain ?teaser)s?|does(?:n't| not) belong|is to \w+ as \w+ is to|next in the (?:sequence|pattern|series)|each (?:person|house|friend|of (?:them|the)) (?:has|have|plays|owns|drinks|likes|lives|in)|knights? and knaves?|truth-?teller|riddle|logic (?:puzzle|grid)|syllogis|which (?:of the following )?(?:conclusions?|statements?) (?:can be|follows?|must|logically)|deduc(?:e|tive)|valid(?:ity)? (?:of )?(?:the |this )?(?:argument|inference)|argument (?:is|form)|fallacy|truth table|predicate logic|propositional|best translation|clearly morally wrong|morally (?:wrong|acceptable|permissible)|step by step|who (?:lives|owns|is (?:lying|telling)|sits|drinks)|if all \w+ are|what would happen (?:if|to)|why (?:would|might|did) (?:someone|somebody|he|she|they|a person|people)|which is heavier|how long (?:will|would|does) it take .{0,40}if|pros and cons|trade-?offs?|analy[sz]e the (?:argument|causes|impact|effect|following argument)|strengthens?|weakens?|assumption|infer(?:red|ence)?)\b/s,
  },
  {
    category: "reading",
    at: "either",
    least: 160,
    confidence: 0.9,
    pattern:
      /\b(?:answer (?:the|this|these|following)(?: \w+){0,3} questions?|question:|q:|according to (?:the|this) (?:passage|text|article|paragraph|context|author|story|above)|(?:passage|paragraph|context|article|text|excerpt|dialogue|conversation|story|plot|document|background|information|hint|sentences?) (?:above|below|and|given)|(?:following|given|above|this|based on the|from the|in the|refers to the) (?:passage|paragraph|context|article|text|excerpt|dialogue|conversation|story|plot|document|information|background|table|report)|context:|passage:|article:|dialogue:|answer to the above|answer the question|mentioned (?:above|in)|movie plot|(?:what|who|why|when|where|how)\b[^.?!]{0,80}\b(?:passage|author|writer|narrator|text|article|paragraph)|the (?:author|passage|writer|narrator|text) (?:mainly|mostly|suggests|implies|states|tells|wants)|we can (?:learn|infer|know)|it can be inferred|best title)\b/s,
  },
  {
    category: "reading",
    at: "either",
    least: 120,
    confidence: 0.75,
    pattern:
      /\bdialog(?:ue)?\s*:|\b(?:hint|background|situation|passage|document|text|context)\s*:|(?:^|\n)\s*(?:w|m|man|woman|a|b|f) ?: .*\n+\s*(?:w|m|man|woman|a|b|f) ?: /s,
  },
  {
    category: "reasoning",
    at: "either",
    most: 260,
    confidence: 0.7,
    pattern:
      /\bwhere (?:would|could|might|can|should|do|does|did|is|are) (?:you|one|someone|people|he|she|they|i|we|a|an|the|most|it|[a-z]+ (?:likely|most))\b|\bwhat (?:would|could|might|will|do|does|did|is|are|must|should|can) (?:you|one|someone|people|he|she|they|i|we|it|a person|a|an|the (?:person|man|woman|child|kid))\b.{0,120}\?|\bif (?:you|someone|somebody|a person|people|he|she|one|i)(?:'re|'s)?\b.{0,160}\?|\b(?:he|she|they|his|her|him|their|someone|somebody|person|people|man|woman|child|children|kid|friend|family)\b.{0,160}\b(?:what|where|why|how|which)\b.{0,60}\?|\b(?:what|where|whom?|which)\s*\?\s*$/s,
  },
  // Other languages: the plainest words of each task, for what no rule above has named.
  {
    category: "translate",
    at: "either",
    confidence: 0.8,
    pattern:
      /(?<![a-z])(?:übersetz\w*|tradui\w*|traduzca|traduce|traduci\w*|traduz\w*|vertaal|översätt|przetłumacz|çevir)(?![a-z])|перевед\S*|переклад\S*|翻译|翻譯|翻訳|번역|ترجم|अनुवाद/,
  },
  {
    category: "summarize",
    at: "either",
    confidence: 0.8,
    pattern:
      /(?<![a-z])(?:fasse?\b.{0,120}\bzusammen|zusammenfass\w*|résum\w*|resum(?:a|en|ir)\b|resume (?:este|esta|esto|el|la|los|las|lo|en)\b|resumen|riassum\w*|samenvat\w*|sammanfatta|streść|özetle)(?![a-z])|(?:резюмир|кратко излож|подведи итог)\S*|总结|總結|概括|要約|요약|لخص|सारांश/s,
  },
  {
    category: "code",
    at: "either",
    confidence: 0.8,
    pattern:
      /(?<![a-z])(?:schreib\w*|implementier\w*|programmier\w*|écri\w*|implément\w*|escrib\w*|implementa\w*|escrev\w*|scriv\w*|schrijf|skriv)\b.{0,60}\b(?:funktion|programm|skript|code|algorithmus|klasse|fonction|programme|algorithme|función|programa|código|algoritmo|clase|função|funzione|programma|codice|functie)(?![a-z])|(?:напиши|реализуй)\S*.{0,40}(?:функци|программ|код|скрипт|алгоритм)|(?:函数|函數|代码|代碼|算法|程序|编程|関数|コード|プログラム|アルゴリズム|함수|코드|알고리즘)/s,
  },
  {
    category: "math",
    at: "either",
    confidence: 0.8,
    pattern:
      /(?<![a-z])(?:beweise|berechne|löse|démontre\w*|prouve\w*|calcule\w*|résou\w*|demuestr\w*|resuelv\w*|calcula\w*|demonstr[ae]|resolv[ae]|dimostra|risolvi|calcola|bewijs|bevisa)(?![a-z])|(?:докаж|вычисл|реши)\S*|(?:证明|證明|証明|计算|計算|求解|方程|증명|계산|اثبت|احسب)/,
  },
];

export interface Ruled {
  category: Category;
  confidence: number;
  shift: number;
}

/** The category that the first matching rule names, or null. `text` is the prompt, or its two ends. */
export function rule(text: string): Ruled | null {
  const whole = text.slice(0, END).toLowerCase();
  const head = withoutCourtesies(whole);
  const tail = text.length > END ? text.slice(-END).toLowerCase() : head;
  for (const each of RULES) {
    if (each.most !== undefined && text.length > each.most) continue;
    if (each.least !== undefined && text.length < each.least) continue;
    const { category, confidence, shift = 0, pattern, also, but } = each;
    const fits = (end: string) =>
      pattern.test(end) && also?.test(end) !== false && but?.test(end) !== true;
    const matches =
      (each.at !== "tail" && fits(category === "chat" ? whole : head)) ||
      (each.at !== "head" && tail !== head && fits(tail));
    if (matches) return { category, confidence, shift };
  }
  return null;
}
