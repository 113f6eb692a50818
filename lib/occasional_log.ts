import type { Log } from "./log.ts";

/** Options of {@linkcode OccasionalLog}. */
export interface OccasionalLogOptions {
  readonly log: Log;
  /** Shortest time between two lines of one kind. @default {10_000} */
  readonly everyMs?: number;
}

interface Kind {
  lineAt: number;
  unsaid: number;
  lastMessage: string;
}

/** Warns of what strangers can cause as often as they like: of each kind at once, and then now and again with a count. */
export class OccasionalLog {
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #kinds = new Map<string, Kind>();

  constructor({ log, everyMs = 10_000 }: OccasionalLogOptions) {
    this.#log = log;
    this.#everyMs = everyMs;
  }

  /** Warns, or counts when the kind was warned of lately; there must be few kinds. */
  warn(kind: string, message: string, now = performance.now()): void {
    const known = this.#kinds.get(kind);
    if (known) {
      known.unsaid++;
      known.lastMessage = message;
      return;
    }
    this.#kinds.set(kind, { lineAt: now, unsaid: 0, lastMessage: message });
    this.#log.warn(message);
  }

  /** Says what was counted and is due; to be called now and again. */
  flush(now = performance.now()): void {
    for (const [name, kind] of this.#kinds) {
      if (now - kind.lineAt < this.#everyMs) continue;
      if (kind.unsaid === 0) {
        this.#kinds.delete(name);
        continue;
      }
      this.#log.warn(`${kind.lastMessage} (the last of ${kind.unsaid} more like it)`);
      kind.lineAt = now;
      kind.unsaid = 0;
    }
  }
}
