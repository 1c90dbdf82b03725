// Counts the binding calls of a request, around the whole Env. A call's level is one more than that of any call
// which had ended when it began: parallel calls share a level, so the highest one is the depth. The answer
// carries what was seen until it left, with what had begun and ended when the provider's request went out.
let trace = null;
let counting = false;

function wrap(worker) {
  return {
    ...worker,
    async fetch(request, env, ctx) {
      patchFetch();
      const own = { calls: [], done: 0, sent: null };
      trace = own;
      const answer = await worker.fetch(request, counted(env, "env", own), ctx);
      const seen = JSON.stringify({ calls: own.calls, sent: own.sent });
      const headers = new Headers(answer.headers);
      headers.set("x-test-calls", seen);
      return new Response(answer.body, { status: answer.status, headers });
    },
  };
}

function patchFetch() {
  if (counting) return;
  counting = true;
  const original = globalThis.fetch;
  globalThis.fetch = (...args) => {
    const now = trace;
    if (now !== null && now.sent === null) {
      now.sent = { begun: now.calls.length, depth: now.done };
    }
    return original(...args);
  };
}

const targets = new WeakMap();
const bare = (value) =>
  Array.isArray(value) ? value.map(bare) : (targets.get(Object(value)) ?? value);

function counted(target, name, own) {
  const proxy = new Proxy(typeof target === "function" ? function () {} : {}, {
    get(_, key) {
      const value = Reflect.get(target, key, target);
      if (typeof key === "symbol" || value === null) return value;
      if (typeof value !== "object" && typeof value !== "function") return value;
      if (typeof value !== "function") return counted(value, `${name}.${key}`, own);
      return (...args) => {
        // Not value.apply: on a remote method that names another remote method.
        const result = Reflect.apply(value, target, args.map(bare));
        if (typeof result?.then === "function") return called(result, `${name}.${key}`, own);
        const plain = result === null || typeof result !== "object";
        return plain ? result : counted(result, name, own);
      };
    },
    has: (_, key) => Reflect.has(target, key),
    ownKeys: () => Reflect.ownKeys(target),
    getOwnPropertyDescriptor(_, key) {
      const found = Reflect.getOwnPropertyDescriptor(target, key);
      return found && { ...found, configurable: true };
    },
  });
  targets.set(proxy, target);
  return proxy;
}

function called(result, name, own) {
  const call = { name, level: own.done + 1, ended: false };
  own.calls.push(call);
  const end = () => {
    call.ended = true;
    own.done = Math.max(own.done, call.level);
  };
  const waited = Promise.resolve(result);
  waited.then(end, end);
  return waited;
}
