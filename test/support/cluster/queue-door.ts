import type { V4WorkerOptions } from "miniflare";

// A runtime keeps what was sent to a queue in its own memory until a consumer took it: a worker that is
// killed would lose messages whose send was answered, which the platform never does. So in a cluster the
// workers' queue bindings are service bindings to a door beside the objects, whose RPC methods are those of
// a queue; the messages then live where the consumers are.

const SCRIPT = `import { WorkerEntrypoint } from "cloudflare:workers";
export default class Door extends WorkerEntrypoint {
  send(body, options) { return this.env.QUEUE.send(body, options); }
  sendBatch(messages, options) { return this.env.QUEUE.sendBatch([...messages], options); }
}`;

/** One door for each queue binding of the worker: they run beside the owner of the objects. */
export function queueDoors(worker: V4WorkerOptions): V4WorkerOptions[] {
  return Object.entries(producersOf(worker)).map(([binding, producer]) => ({
    name: doorOf(binding),
    modules: true,
    script: SCRIPT,
    compatibilityDate: "2026-10-20",
    queueProducers: { QUEUE: producer },
  }));
}

/** The worker with its queue bindings led through the doors. */
export function throughDoors(worker: V4WorkerOptions): V4WorkerOptions {
  const doors = Object.keys(producersOf(worker)).map((binding) => [binding, doorOf(binding)]);
  return {
    ...worker,
    queueProducers: {},
    serviceBindings: { ...worker.serviceBindings, ...Object.fromEntries(doors) },
  };
}

const doorOf = (binding: string) => `queue-door-${binding.toLowerCase()}`;

function producersOf(worker: V4WorkerOptions): Record<string, { queueName: string }> {
  return (worker.queueProducers ?? {}) as Record<string, { queueName: string }>;
}
