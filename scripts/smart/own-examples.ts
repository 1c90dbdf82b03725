// Prompts of our own for the two tasks that no source of the data has. Written for this project.

export const TRANSLATE: readonly string[] = [
  "Translate the following text into French: The meeting was moved to Thursday.",
  "How do you say 'good morning' in Japanese?",
  "Please translate this sentence to German: I have lost my keys.",
  "Übersetze ins Englische: Wo ist der Bahnhof?",
  "What is 'library' in Spanish?",
  "English to Italian: we will arrive after dinner",
  "Traduce al inglés: ¿Dónde está la estación?",
  "Traduis en anglais : je voudrais un café.",
  "translate to portuguese\n\nThe contract ends in June and may be renewed once.",
  "Give me the Korean translation of this product description: A light, warm jacket for rainy days.",
  "请把下面的句子翻译成英文：今天天气很好。",
  "I need this email in Dutch: Dear all, the office is closed on Monday.",
  "The patient should take two tablets a day.\n\nTranslate the above into Polish.",
  "What does 'Schadenfreude' mean in English?",
  "Convert this paragraph from English to Arabic: Water boils at a lower temperature in the mountains.",
  "Переведи на английский: Я люблю читать книги.",
];

export const CHAT: readonly string[] = [
  "hi",
  "Hello there!",
  "hey, how are you doing today?",
  "thanks, that helped a lot",
  "Good morning :)",
  "who are you?",
  "what can you do",
  "lol ok",
  "I'm bored",
  "nice to meet you",
  "Are you a human or a bot?",
  "ok great, thank you so much!",
  "how was your day?",
  "good night",
  "tell me something about yourself",
  "do you like music?",
];
