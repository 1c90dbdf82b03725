/** A body that ends by itself only after 100 pieces of 16 KB; `seen` tells how much of it was wanted. */
export function endless(): { body: ReadableStream<Uint8Array>; seen: Endless } {
  const seen: Endless = { bytes: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.bytes >= 100 * PIECE) return controller.close();
        seen.bytes += PIECE;
        controller.enqueue(new Uint8Array(PIECE).fill(0x78));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

export interface Endless {
  bytes: number;
  cancelled: boolean;
}

const PIECE = 16 * 1024;
