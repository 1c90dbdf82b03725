/** Words that open a turn and ask for nothing, by themselves. */
const OPENERS =
  "hi|hiya|hey|hello|howdy|yo|good (?:morning|afternoon|evening|night|day)|thanks?|thank you|thx|ty|ok(?:ay)?|bye|goodbye|see you|cheers|sup|greetings|great|cool|nice|perfect|awesome|lol|sure|welcome|nice to meet you";
/** Whole questions of small talk. */
const QUESTIONS =
  "how are you|how(?:'s| is) it going|how do you do|how was your|what'?s up|who are you|what can you do|tell me (?:something )?about yourself|are you (?:an? )?(?:real |actual )?(?:ai|human|bot|robot|person|machine)|do you (?:like|love|enjoy|dream|sleep|eat)|i(?:'m| am) (?:so |very |really )?(?:bored|tired|sad|happy|lonely|fine|good|great|back)";
/** What may follow, and still nothing is asked. */
const FILLERS =
  "there|again|everyone|everybody|all|team|folks|friends?|buddy|mate|man|dude|sir|madam|assistant|ai|bot|robot|human|gpt|chatgpt|claude|gemini|to|you|your|yours|so|too|very|really|much|many|a|an|lot|for|of|that|this|it|its|it's|that's|the|was|is|are|am|i'm|i|we|me|my|and|or|but|not|bad|just|with|in|on|at|do|did|does|doing|going|feel|feeling|felt|how|what|whats|what's|up|new|day|today|tonight|tomorrow|weekend|week|morning|evening|afternoon|night|good|well|better|best|fine|helpful|amazing|wonderful|lovely|haha|hehe|help|helped|helping|helps|time|later|soon|tomorrow|now|then|bye|love|like|likes|enjoy|music|yes|yeah|no|nope|please|made|will|be|been|have|has|had|see|talk|speak|chat|meet|meeting|pleasure|thanks|everything|answer|works?|worked|got|cool|great|nice|perfect|awesome|ok|okay|hi|hello|hey|or";
/** Greetings and thanks of other languages, with what usually follows them. */
const ELSEWHERE =
  "hallo|hallöchen|guten (?:tag|morgen|abend)|gute nacht|moin|servus|grüß gott|danke(?: schön| sehr)?|vielen dank|tschüss|wie geht(?:'?s| es)(?: dir| ihnen)?|und dir|bonjour|bonsoir|salut|coucou|merci(?: beaucoup)?|au revoir|(?:comment )?ça va|comment (?:allez[- ]vous|vas[- ]tu|tu vas)|hola|buenos días|buenos dias|buenas (?:tardes|noches)|(?:muchas )?gracias|adiós|adios|qué tal|que tal|cómo est[aá]s?|como est[aá]s?|ciao|salve|buon ?giorno|buona ?sera|(?:mille )?grazie|come (?:stai|va|sta)|olá|ola|oi|bom dia|boa (?:tarde|noite)|(?:muito )?obrigad[oa]|tudo bem|hoi|dag|goedemorgen|dank je(?: wel)?|bedankt|hoe gaat het|hej|hejsan|tack(?: så mycket)?|hei|takk|tak|kiitos|cześć|dzień dobry|dziękuję|ahoj|dobrý den|děkuji|merhaba|selam|teşekkürler|nasılsın|halo|terima kasih|apa kabar|xin chào|cảm ơn|привет|здравствуй(?:те)?|добрый (?:день|вечер)|доброе утро|спасибо(?: большое)?|как дела|пока|привіт|дякую|γεια(?: σου| σας)?|ευχαριστώ|مرحبا|السلام عليكم|شكرا(?: جزيلا)?|كيف حالك|שלום|תודה|नमस्ते|धन्यवाद|आप कैसे हैं|你好(?:吗|嗎)?|您好|早上好|晚上好|谢谢(?:你)?|謝謝(?:你)?|再见|こんにちは|こんばんは|おはよう(?:ございます)?|ありがとう(?:ございます)?|元気ですか|안녕(?:하세요)?|감사합니다|고마워(?:요)?|잘 지내(?:요|세요)?";

/** Letters of any script, and the reverse that parts small talk: neither letters nor what sums are written with. */
const LETTER = "a-z\\u00c0-\\u1fff\\u2c00-\\u2fff\\u3040-\\ud7ff\\uf900-\\ufeff";
const GAP = `[^${LETTER}0-9+*/=^$<>{}\\\\]`;

/**
 * Small talk alone: openers and questions of it, with fillers between and nothing else. A request behind a greeting is
 * none. Over lower-case text; a gap and a word never match the same character, so that it runs in linear time.
 */
export const SMALL_TALK = new RegExp(
  `^${GAP}*(?:(?:${OPENERS}|${QUESTIONS})(?:${GAP}+(?:${OPENERS}|${QUESTIONS}|${FILLERS}))*|(?:${ELSEWHERE})(?:${GAP}+(?:${ELSEWHERE}|claude|chatgpt))*)${GAP}*$`,
);

const POLITE = new RegExp(
  `^${GAP}*(?:(?:hi|hey|hello|good (?:morning|afternoon|evening)|there|all|team|thanks?|thank you|ok(?:ay)?|great|cool|nice|perfect|sure|yes|please|kindly|now|then|so|and|also|next|can you|could you|would you|will you|help me|i(?:'d| would) like you to|i (?:need|want) you to)(?!['${LETTER}0-9])${GAP}*)+`,
);

/** The text without the greetings and courtesies that it begins with; as it is where nothing else is left. */
export function withoutCourtesies(head: string): string {
  const rest = head.replace(POLITE, "");
  return rest === "" ? head : rest;
}
