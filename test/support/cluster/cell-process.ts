// A cell in a process of its own, so that it can be killed. It is told what to do over IPC, and goes when
// its parent goes.
import { openCell, type Cell } from "./cell.ts";
import type { Order, Reply } from "./process.ts";

let cell: Cell | undefined;

function send(reply: Reply): void {
  if (process.connected) process.send?.(reply);
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === "open") {
    cell = await openCell(order.options, (line) => send({ log: line }));
    return null;
  }
  if (cell === undefined) throw new Error(`cell: ${order.do} before open`);
  if (order.do === "sql") return cell.sql(order.statement, ...order.values);
  if (order.do === "tick") return cell.tick();
  if (order.do === "touch") {
    return (await cell.miniflare.getKVNamespace("KV")).get("cluster-touch");
  }
  return cell.close();
}

process.on("message", (message: { id: number; order: Order }) => {
  const { id, order } = message;
  obey(order).then(
    (value) => send({ id, value: value ?? null }),
    (error: unknown) => send({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => {
  void Promise.resolve(cell?.close()).finally(() => process.exit(0));
});
