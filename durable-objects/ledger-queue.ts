import { scopeKey } from "../worker/core/scope.ts";
import type { HoldRefusal, SingleMessage, SingleReply } from "../worker/core/account.ts";

/** So many requests wait for one scope; more are refused at once. */
const MOST_WAITING = 256;
/** So many of the last refusals are known: whoever was refused must not be granted when its message comes again. */
const MOST_REFUSALS = 2_000;

interface Waiting {
  message: SingleMessage;
  keys: string[];
  /** The scope that it waits for. */
  blockedBy: string;
  /** The whole would not fit whatever came back: it takes less as soon as there is any. */
  less: boolean;
  resolve: (reply: SingleReply) => void;
  timer: unknown;
}

interface Parts {
  /** One attempt; `settleForLess` and `waiting` as in `LedgerBook.single`. */
  attempt: (message: SingleMessage, settleForLess: boolean, waiting: number) => SingleReply;
  setTimer: (work: () => void, ms: number) => unknown;
  clearTimer: (timer: unknown) => void;
}

/**
 * Requests that wait for what others have reserved: in the order in which they came, each for as long as it may. Nobody
 * who comes later takes what one of them waits for. It is memory alone: a request whose object restarts asks again.
 */
export class HoldQueue {
  readonly #parts: Parts;
  #waiting: Waiting[] = [];
  /** By the message: what it waits for, or what it was told. Grants are on the books. */
  readonly #said = new Map<string, HoldRefusal | Promise<SingleReply>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Scopes that somebody waits for. */
  get closed(): ReadonlySet<string> {
    return new Set(this.#waiting.map(({ blockedBy }) => blockedBy));
  }

  ask(message: SingleMessage): SingleReply | Promise<SingleReply> {
    const said = this.#said.get(message.id);
    if (said !== undefined) return said;
    const keys = message.items.map(({ scope }) => scopeKey(scope));
    const { closed } = this;
    const behind = keys.find((key) => closed.has(key));
    let reply = behind === undefined ? this.#attempt(message, false) : null;
    const less = reply?.granted === false && !reply.fits;
    if (less) reply = this.#attempt(message, true);
    if (reply?.granted === true) return reply;
    const blockedBy = behind ?? (reply ? scopeKey(reply.scope) : "");
    const count = this.#waiting.filter((each) => each.blockedBy === blockedBy).length;
    const mayWait = message.waitMs > 0 && count < MOST_WAITING && (reply?.waits ?? true);
    if (!mayWait) return this.#note(message, this.#attempt(message, true));
    const wait = new Promise<SingleReply>((resolve) => {
      const waiting: Waiting = { message, keys, blockedBy, less, resolve, timer: null };
      waiting.timer = this.#parts.setTimer(() => this.#expire(waiting), message.waitMs);
      this.#waiting.push(waiting);
    });
    this.#said.set(message.id, wait);
    return wait;
  }

  /** Something may be free: grants what fits, the first come first, and refuses what can't fit any more. */
  retry(): void {
    if (this.#waiting.length === 0) return;
    const closed = new Set<string>();
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const behind = waiting.keys.find((key) => closed.has(key));
      const reply = behind === undefined ? this.#again(waiting) : null;
      if (reply !== null && (reply.granted || !reply.waits)) {
        this.#end(waiting, reply.granted ? reply : this.#last(waiting, reply));
        continue;
      }
      waiting.blockedBy = behind ?? (reply && !reply.granted ? scopeKey(reply.scope) : "");
      closed.add(waiting.blockedBy);
      still.push(waiting);
    }
    this.#waiting = still;
  }

  #attempt(message: SingleMessage, settleForLess: boolean): SingleReply {
    return this.#parts.attempt(message, settleForLess, this.#waiting.length);
  }

  #again(waiting: Waiting): SingleReply | null {
    try {
      const reply = this.#attempt(waiting.message, waiting.less);
      if (reply.granted || reply.fits || waiting.less) return reply;
      waiting.less = true;
      return this.#attempt(waiting.message, true);
    } catch {
      return null;
    }
  }

  /** What can't be had whole may do in part. */
  #last({ message }: Waiting, refused: HoldRefusal): SingleReply {
    try {
      return this.#attempt(message, true);
    } catch {
      return refused;
    }
  }

  #expire(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== waiting);
    try {
      this.#end(waiting, this.#attempt(waiting.message, true));
    } catch {
      this.#said.delete(waiting.message.id);
      // The caller's own patience ends too; it asks again or gives the hold back.
    }
    this.retry();
  }

  #end({ message, timer, resolve }: Waiting, reply: SingleReply): void {
    this.#parts.clearTimer(timer);
    resolve(this.#note(message, reply));
  }

  #note({ id }: SingleMessage, reply: SingleReply): SingleReply {
    this.#said.delete(id);
    if (reply.granted) return reply;
    this.#said.set(id, reply);
    if (this.#said.size > MOST_REFUSALS) {
      for (const [oldest, said] of this.#said) {
        if (said instanceof Promise) continue;
        this.#said.delete(oldest);
        break;
      }
    }
    return reply;
  }
}
