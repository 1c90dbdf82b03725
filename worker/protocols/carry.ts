import { GatewayError } from "../core/errors.ts";

/** No event of any known provider comes near this; beyond it the stream is junk. */
export const LARGEST_BLOCK = 16 * 1024 * 1024;

/** The refusal of a stream event that nobody could mean. */
export function tooLarge(): GatewayError {
  return new GatewayError(
    "upstream_bad_response",
    "The provider sent a stream event above 16 MB, which is more than the gateway reads.",
  );
}

/** Bytes that wait for the rest of their block; throws `upstream_bad_response` when they grow above 16 MB. */
export class Carry {
  private bytes = new Uint8Array(0);
  private used = 0;

  get empty(): boolean {
    return this.used === 0;
  }

  keep(rest: Uint8Array): void {
    const length = this.used + rest.length;
    if (length > LARGEST_BLOCK) throw tooLarge();
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.bytes.length * 2, 1024));
      grown.set(this.bytes.subarray(0, this.used));
      this.bytes = grown;
    }
    this.bytes.set(rest, this.used);
    this.used = length;
  }

  /** What waited and this, in one piece; nothing waits afterwards. */
  take(tail: Uint8Array): Uint8Array {
    if (this.used === 0) return tail;
    const length = this.used + tail.length;
    if (length > LARGEST_BLOCK) throw tooLarge();
    const whole = new Uint8Array(length);
    whole.set(this.bytes.subarray(0, this.used));
    whole.set(tail, this.used);
    this.used = 0;
    if (this.bytes.length > 65_536) this.bytes = new Uint8Array(0);
    return whole;
  }
}
