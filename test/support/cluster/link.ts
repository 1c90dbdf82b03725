import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Open, or cut: `refuse` resets every connection at once, `hold` lets nothing through but keeps them. */
export type LinkState = "open" | "refuse" | "hold";

/** A TCP connection between two runtimes that a test can cut. */
export class Link {
  /** The port to dial. */
  port = 0;
  state: LinkState = "open";
  #target: () => number;
  #server: Server | undefined;
  #pairs = new Set<[Socket, Socket]>();
  #connections = 0;

  constructor(target: () => number) {
    this.#target = target;
  }

  /** How many connections were let in at the present port. */
  get connections(): number {
    return this.#connections;
  }

  /** Listens on a fresh port; whoever dialled the old one is cut off. */
  async open(): Promise<void> {
    await this.close();
    this.state = "open";
    this.#connections = 0;
    this.#server = createServer((near) => this.#accept(near)).listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  refuse(): void {
    this.state = "refuse";
    this.#reset();
  }

  hold(): void {
    this.state = "hold";
    for (const [near, far] of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
    }
  }

  /** After `hold`: what was held goes on its way. */
  resume(): void {
    this.state = "open";
    for (const pair of this.#pairs) join(pair);
  }

  async close(): Promise<void> {
    this.#reset();
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    await once(server, "close");
  }

  #accept(near: Socket): void {
    if (this.state === "refuse") return void near.resetAndDestroy();
    this.#connections += 1;
    const pair: [Socket, Socket] = [near, connect(this.#target(), "127.0.0.1")];
    this.#pairs.add(pair);
    for (const [one, other] of [pair, pair.toReversed() as [Socket, Socket]]) {
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (this.state === "open") join(pair);
  }

  #reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }
}

function join([near, far]: [Socket, Socket]): void {
  near.pipe(far);
  far.pipe(near);
}
