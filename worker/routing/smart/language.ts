import type { Features } from "./features.ts";
import { FNV_START, step } from "./words.ts";

/** Words that nearly every English sentence holds some of. */
const ENGLISH = `the of and to in is a an that for it with as are was were this these be by what how you my your from or not can do does did
  which who when where why if have has had i we they he she at on but will would should could there their about all me please`;

/**
 * Words of the same kind of other languages in Latin script, without what is English, too, or stands in names ("de",
 * "la", "van").
 */
const FOREIGN = `ist und der das dem des ein eine einen einer nicht ich du wir ihr sie mit von für auf wie sind mir mich dir dich auch oder wenn dass diese
  diesen dieser zwei bitte kann können mein dein wird hier wurde zum zur bei aus nach kein keine wo warum welche welcher schreibe erkläre
  le les un une est et que qui dans avec sont je tu nous vous il elle ne pas ce cette ces mon ton vos votre nos quel quelle quels où pourquoi
  aux du ou été fait moi peux peut être très plus écris explique
  el los las una es y que en con por para qué cuál cómo dónde cuándo quién mi tu su sus como más pero este esta esto son estoy puedes
  escribe explica del al lo se hay
  il lo gli una è che di con per sono come questo questa quale quali dove quando perché chi mio tuo non più scrivi spiega della delle nel nella
  dei degli alla
  o os as um uma é e em com não por que qual quais onde quando você meu minha seu sua são está isso este esta mais escreva explique dos das pelo
  het een en niet ik je jij wij met voor zijn wat hoe waar waarom welke kan mijn jouw deze dit dat ook maar naar bij schrijf geef leg uit
  och är att det som en ett för på med jag av den inte vad hur var varför vilken kan min skriv ikke jeg og til hvad hvordan hvor hva
  jest nie się na to jak co gdzie dlaczego czy mój twój proszę napisz jaka jaki które
  ve bir bu için ile ne nasıl nerede neden mı mi değil ben sen bana yaz açıkla
  yang dan di untuk dengan ini itu apa bagaimana dimana tidak saya kamu adalah tolong tulis jelaskan
  je se na jak kde proč není prosím napiš ja on ali kako što je za si cum este și în cu pentru unde ce care
  ja ei on miten mikä missä miksi kirjoita hogy egy és nem mi az van hogyan hol miért írj
  là của và có không tôi bạn cho một này cách được viết hãy`;

/** Share of letters beyond the Latin script from which a text is none in it, and how many letters at least. */
const OTHER_SCRIPT = 0.3;
const FEWEST = 2;

const hashesOf = (words: string) =>
  new Set(
    words.split(/\s+/).map((word) => {
      let hash = FNV_START;
      for (let at = 0; at < word.length; at++) hash = step(hash, word.charCodeAt(at));
      return hash;
    }),
  );
const english = hashesOf(ENGLISH);
const foreign = new Set([...hashesOf(FOREIGN)].filter((hash) => !english.has(hash)));

/** True where a prompt is written in another language than English, as far as its letters and commonest words tell. */
export function isForeign({ letters, distant, vocabulary, different }: Features): boolean {
  if (letters >= FEWEST && distant > OTHER_SCRIPT * letters) return true;
  let here = 0;
  let elsewhere = 0;
  for (let at = 0; at < different; at++) {
    const hash = vocabulary[at] ?? 0;
    if (english.has(hash)) here++;
    else if (foreign.has(hash)) elsewhere++;
  }
  return elsewhere >= 2 && elsewhere > here;
}
