import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * What becomes of what passes. `pass`: all arrives.
 *
 * `swallow`: requests arrive, replies do not; from its first lost reply on, a connection stays mute, as no network leaves
 * out a part. It is cut after `cutAfterMs`, if that is given. `cut-request`, `cut-reply`: a part of one arrives, then the
 * connection ends. `delay`: each piece takes so long. `reset`: every connection ends with RST, at once. `refuse`: what is
 * connected stays, new connections end with RST.
 */
export type ChaosMode =
  | { readonly kind: "pass" | "cut-request" | "cut-reply" | "reset" | "refuse" }
  | { readonly kind: "swallow"; readonly cutAfterMs?: number }
  | { readonly kind: "delay"; readonly minMs: number; readonly maxMs: number };

/** A network between a client and a server that can be made to fail. Listens on a free port of the loopback. */
export class ChaosProxy {
  /** How often each mode came to anything. */
  readonly effects: Record<ChaosMode["kind"], number> = {
    pass: 0,
    swallow: 0,
    "cut-request": 0,
    "cut-reply": 0,
    delay: 0,
    reset: 0,
    refuse: 0,
  };
  readonly #target: string;
  readonly #fraction: () => number;
  readonly #links = new Set<Link>();
  readonly #server: Server = createServer({ noDelay: true }, (client) => this.#accept(client));
  #mode: ChaosMode = { kind: "pass" };

  /** Leads to a unix socket. Where to cut and how long to delay is left to `fraction`, from 0 up to 1. */
  constructor(target: string, fraction: () => number = Math.random) {
    this.#target = target;
    this.#fraction = fraction;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  /** Holds from now on, for the connections that there are too. */
  set mode(mode: ChaosMode) {
    this.#mode = mode;
    if (mode.kind === "reset") for (const link of this.#links) this.#end(link, "reset");
  }

  async close(): Promise<void> {
    for (const link of this.#links) endLink(link);
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    const link: Link = { client, server: connect(this.#target), isMute: false };
    this.#links.add(link);
    void Promise.all([this.#pump(link, client, link.server), this.#pump(link, link.server, client)]).then(() =>
      this.#links.delete(link),
    );
    const { kind } = this.#mode;
    if (kind === "reset" || kind === "refuse") this.#end(link, kind);
  }

  async #pump(link: Link, from: Socket, to: Socket): Promise<void> {
    const disturb = (pieces: AsyncIterable<Buffer>) => this.#disturb(link, pieces, to === link.client);
    try {
      await pipeline(from, disturb, to);
    } catch {
      endLink(link);
    }
  }

  async *#disturb(link: Link, pieces: AsyncIterable<Buffer>, isReply: boolean): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      const mode = this.#mode;
      if (isReply && (link.isMute || mode.kind === "swallow")) {
        this.#swallow(link);
      } else if (mode.kind === (isReply ? "cut-reply" : "cut-request")) {
        yield piece.subarray(0, Math.floor(this.#fraction() * piece.length));
        return this.#end(link, mode.kind);
      } else {
        this.effects[mode.kind === "delay" ? "delay" : "pass"]++;
        if (mode.kind === "delay") await sleep(mode.minMs + this.#fraction() * (mode.maxMs - mode.minMs));
        yield piece;
      }
    }
  }

  #swallow(link: Link): void {
    if (link.isMute) return;
    link.isMute = true;
    this.effects.swallow++;
    const cutAfterMs = this.#mode.kind === "swallow" ? this.#mode.cutAfterMs : undefined;
    if (cutAfterMs !== undefined) setTimeout(() => endLink(link), cutAfterMs).unref();
  }

  #end(link: Link, kind: "reset" | "refuse" | "cut-request" | "cut-reply"): void {
    if (link.client.destroyed) return;
    this.effects[kind]++;
    if (kind === "reset" || kind === "refuse") link.client.resetAndDestroy();
    endLink(link);
  }
}

/** A client's connection and the one made for it. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Whether a reply was swallowed. */
  isMute: boolean;
}

function endLink({ client, server }: Link): void {
  client.destroy();
  server.destroy();
}
