/** A wait that can be called off. */
export interface Timer {
  over: Promise<"over">;
  stop: () => void;
}

export function timer(ms: number): Timer {
  let handle: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<"over">((resolve) => {
    handle = setTimeout(() => resolve("over"), ms);
  });
  return { over, stop: () => clearTimeout(handle) };
}
