/** A beginning in common that long is no chance. */
const RESTART = 32;
/** Repeated last words count from here. */
const OVERLAP = 8;
/** This much of the end of what was delivered is looked for … */
const TAIL = 40;
/** … in this much of what comes. */
const WINDOW = 500;
/** The most that is held back, beyond what was delivered and at all. */
const SLACK = 64;
const MOST = 4096;

/** The most that a caller waits for a decision, in milliseconds from the first text. */
export const TRIM_MS = 3_000;

export interface TrimOptions {
  /** The target was asked in words: it tends to repeat the last ones. */
  instructed: boolean;
  /** The target is known to say the beginning again. */
  echoes: boolean;
}

type Decision = { skip: number } | "hold" | "follow" | "incoherent";

/**
 * Finds where the new text goes on from the delivered one (PROTOCOLS 16), and drops what the caller has. What
 * comes is held until that is decided; after it, text passes at once.
 */
export class Trim {
  private readonly delivered: string;
  /** Delivered text without the white space at its end, and that white space. */
  private readonly body: string;
  private readonly space: string;
  private readonly options: TrimOptions;
  private held = "";
  /** Where in the delivered text an echo stands that is longer than what may be held; null = none is followed. */
  private followed: number | null = null;
  private decided = false;
  /** The new text is another answer: nothing of it may reach the caller. */
  incoherent = false;

  constructor(delivered: string, options: TrimOptions) {
    this.delivered = delivered;
    this.body = delivered.trimEnd();
    this.space = delivered.slice(this.body.length);
    this.options = options;
    this.decided = delivered === "";
  }

  /** Text is held back that a decision would set free. */
  get holding(): boolean {
    return !this.decided && this.held !== "";
  }

  /** What of the text so far may go on to the caller. */
  push(text: string): string {
    if (this.incoherent || text === "") return "";
    if (this.decided) return text;
    this.held += text;
    return this.settle(false);
  }

  /** The wait is over: decides with what there is. */
  force(): string {
    return this.decided || this.incoherent ? "" : this.settle(true);
  }

  /** No more comes. */
  end(): string {
    if (this.decided || this.incoherent) return "";
    if (this.followed !== null || this.matches(this.held)) {
      // It said what the caller has, and stopped: all of it, or before it came that far.
      const at = this.followed ?? this.held.length;
      if (at >= this.body.length) {
        this.decided = true;
        return "";
      }
      if (at >= RESTART || this.options.echoes) {
        this.incoherent = true;
        return "";
      }
    }
    return this.settle(true);
  }

  private settle(over: boolean): string {
    if (this.followed !== null) return this.follow();
    const late = over || this.held.length >= Math.min(this.delivered.length + SLACK, MOST);
    const decision = this.decide(late);
    if (decision === "hold") return "";
    if (decision === "follow") {
      this.followed = 0;
      return this.follow();
    }
    if (decision === "incoherent") {
      this.incoherent = true;
      return "";
    }
    return this.release(decision.skip);
  }

  private release(skip: number): string {
    const out = this.held.slice(skip);
    this.held = "";
    this.decided = true;
    return out;
  }

  /** Drops an echo as it comes, without holding it. */
  private follow(): string {
    const at = this.followed ?? 0;
    const step = common(this.held, this.delivered, at);
    if (step === this.held.length && at + step < this.delivered.length) {
      this.followed = at + step;
      this.held = "";
      return "";
    }
    if (at + step >= this.body.length) return this.release(step);
    this.incoherent = true;
    return "";
  }

  private matches(text: string): boolean {
    return text !== "" && text.length < this.delivered.length && this.delivered.startsWith(text);
  }

  /** `late` = nothing more may be waited for. */
  private decide(late: boolean): Decision {
    const { held, delivered, body } = this;
    const alike = common(held, delivered, 0);
    if (alike >= body.length && body !== "") {
      if (!late && alike === held.length && alike < delivered.length) return "hold";
      return { skip: alike };
    }
    if (alike === held.length) {
      if (!late) return "hold";
      if (alike >= RESTART || this.options.echoes) return "follow";
    } else if (alike >= RESTART) return "incoherent";
    return this.overlap(late) ?? this.repeat(late) ?? this.whiteSpace(late);
  }

  /** The last words once more, where a target was asked in words. */
  private overlap(late: boolean): Decision | null {
    if (!this.options.instructed) return null;
    const { held } = this;
    const tail = this.delivered.slice(-MOST);
    if (!late && held.length < tail.length && tail.includes(held)) return "hold";
    for (let from = Math.max(0, tail.length - held.length); from <= tail.length - OVERLAP; from++) {
      const suffix = tail.slice(from);
      if (!held.startsWith(suffix)) continue;
      return isPeriodic(suffix) ? null : { skip: suffix.length };
    }
    return null;
  }

  /** The end of what was delivered, somewhere in the first of what comes: a preface, or all of it over again. */
  private repeat(late: boolean): Decision | null {
    const { held, body } = this;
    if (body.length < TAIL) return null;
    const tail = body.slice(-TAIL);
    // Something said over and over: one more time is no sign of a repetition of the answer.
    if (isPeriodic(tail)) return null;
    const found = held.slice(0, WINDOW).indexOf(tail);
    if (found < 0) return !late && held.length < WINDOW ? "hold" : null;
    const after = found + TAIL;
    const space = common(held.slice(after), this.space, 0);
    if (!late && after + space === held.length && space < this.space.length) return "hold";
    return { skip: after + space };
  }

  /** White space that was taken off the end for the target, and that it said itself. */
  private whiteSpace(late: boolean): Decision {
    if (this.options.instructed) return { skip: 0 };
    const space = common(this.held, this.space, 0);
    if (!late && space === this.held.length && space < this.space.length) return "hold";
    return { skip: space };
  }
}

/** How far `text` goes like `other` from `at` on. */
function common(text: string, other: string, at: number): number {
  const most = Math.min(text.length, other.length - at);
  let length = 0;
  while (length < most && text.charCodeAt(length) === other.charCodeAt(at + length)) length++;
  return length;
}

/** Made of one piece that is said at least twice in a row. */
export function isPeriodic(text: string): boolean {
  // The borders of every beginning: the last one tells the shortest period.
  const border = new Uint16Array(text.length);
  for (let i = 1; i < text.length; i++) {
    let length = border[i - 1] ?? 0;
    while (length > 0 && text[i] !== text[length]) length = border[length - 1] ?? 0;
    border[i] = text[i] === text[length] ? length + 1 : 0;
  }
  const period = text.length - (border[text.length - 1] ?? 0);
  return period * 2 <= text.length;
}
