import type { Live } from "./live.ts";
import { renderFragments } from "./parts.ts";

/** Viewers at a time; more are asked to come back. */
const MAX_VIEWERS = 10_000;
/** Messages that a viewer may be behind; beyond it the viewer is let go, and comes back to the newest state. */
const MAX_UNREAD_MESSAGES = 30;
/** Ticks from one sign of life to the next. */
const BEAT_TICKS = 5;
const encoder = new TextEncoder();

/** Sends what changes to all viewers as Server-Sent Events (WHATWG, "HTML", 9.2), rendered once for all of them. */
export class Feed {
  readonly #live: Live;
  readonly #viewers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  #watch: Disposable | undefined;
  /** Last sent, by name. */
  #sent = new Map<string, string>();
  #ticks = 0;

  constructor(live: Live) {
    this.#live = live;
    live.ended.addEventListener("abort", () => {
      for (const viewer of this.#viewers) this.#close(viewer);
    });
  }

  /** Whether there is no room for one more. */
  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS;
  }

  /** Opens the stream of one viewer: all there is, then what changes. */
  open(): ReadableStream<Uint8Array> {
    let viewer: ReadableStreamDefaultController<Uint8Array>;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        viewer = controller;
        if (this.#viewers.size === 0) this.#sent = this.#render();
        this.#viewers.add(viewer);
        this.#watch ??= this.#live.watch(() => this.#send());
        viewer.enqueue(encode(this.#sent));
      },
      cancel: () => this.#leave(viewer),
    });
  }

  #send(): void {
    const now = this.#render();
    const changed = new Map([...now].filter(([name, data]) => this.#sent.get(name) !== data));
    this.#sent = now;
    if (this.#ticks++ % BEAT_TICKS === 0) changed.set("beat", String(Date.now()));
    if (changed.size === 0) return;
    const message = encode(changed);
    for (const viewer of this.#viewers) {
      if ((viewer.desiredSize ?? 0) > -MAX_UNREAD_MESSAGES) {
        viewer.enqueue(message);
        continue;
      }
      this.#close(viewer);
    }
  }

  #render(): Map<string, string> {
    const snapshot = this.#live.snapshot();
    const events = new Map(Object.entries(renderFragments(snapshot)));
    return events.set("series", JSON.stringify(snapshot.series));
  }

  #close(viewer: ReadableStreamDefaultController<Uint8Array>): void {
    viewer.close();
    this.#leave(viewer);
  }

  #leave(viewer: ReadableStreamDefaultController<Uint8Array>): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }
}

/** One event a part, named after it. */
function encode(parts: ReadonlyMap<string, string>): Uint8Array {
  return encoder.encode(
    [...parts]
      .map(([name, data]) => `event: ${name}\ndata: ${data.replaceAll("\n", "\ndata: ")}\n\n`)
      .join(""),
  );
}
