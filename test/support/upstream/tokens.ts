/**
 * The provider's ruler, simple on purpose so that a test can count by hand.
 *
 * - A token of text or thinking is one word with the white space before it.
 * - A token of tool arguments is a run of up to 8 characters; a call's name counts one more.
 * - Input: the words of every turn and of the system text, 1 per turn, 10 per tool, 100 per image.
 *
 * A streamed answer carries one token in each content event.
 */
const PER_TURN = 1;
const PER_TOOL = 10;
const PER_IMAGE = 100;
const ARGUMENT_RUN = 8;

/** Token classes that never overlap, whatever the wire says about them. */
export interface Usage {
  /** Input that no cache served or stored. */
  input: number;
  cacheRead: number;
  cacheWrite: number;
  /** Visible output: text, refusals and tool calls. */
  output: number;
  reasoning: number;
}

export const NO_USAGE: Usage = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

/** The tokens of a text, in order; joined they are the text. */
export function words(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

/** The tokens of a tool call's arguments, in order; joined they are the arguments. */
export function runs(json: string): string[] {
  const pieces: string[] = [];
  for (let i = 0; i < json.length; i += ARGUMENT_RUN) pieces.push(json.slice(i, i + ARGUMENT_RUN));
  return pieces;
}

export function countInput(ask: { turns: { text: string }[]; tools: string[]; images: unknown[] }) {
  const text = ask.turns.reduce((sum, turn) => sum + words(turn.text).length + PER_TURN, 0);
  return text + ask.tools.length * PER_TOOL + ask.images.length * PER_IMAGE;
}
