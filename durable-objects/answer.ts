/**
 * What an object answers. A fault is a value as well, and only its name: an error that is thrown across the call would
 * be logged by the platform with its message, and a database's message can hold what it was asked.
 */
export type Answer<T> = { value: T } | { fault: string };

export async function answered<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (cause) {
    return { fault: cause instanceof Error ? cause.name : "Error" };
  }
}
