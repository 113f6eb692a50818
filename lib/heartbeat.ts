import { FailureRun } from "./failure_run.ts";
import type { Log } from "./log.ts";
import type { ServerRow, StatsStore } from "./store/store.ts";

/** Options of {@linkcode startHeartbeat}. */
export interface HeartbeatOptions {
  /** Where it is left. */
  readonly store: Pick<StatsStore, "beat">;
  /** Tells what the server has to say now. */
  readonly describe: () => ServerRow;
  readonly log: Log;
  /** From one beat to the next; well below the time after which a server counts as gone. @default {10_000} */
  readonly intervalMs?: number;
}

/**
 * Starts to leave word, now and then, that a server is alive; disposing it ends that.
 *
 * It never keeps the program running and never stops it: a beat that fails is skipped.
 */
export function startHeartbeat({ store, describe, log, intervalMs = 10_000 }: HeartbeatOptions): Disposable {
  const failures = new FailureRun(log);
  let isBeating = false;
  let isOver = false;
  const beat = async () => {
    if (isBeating) return; // a store that hangs gets no second one
    isBeating = true;
    try {
      await store.beat(describe());
      failures.recovered("Heartbeats are left again");
    } catch (error) {
      if (!isOver) failures.report(`Cannot leave a heartbeat: ${(error as Error).message}`);
    }
    isBeating = false;
  };
  void beat();
  const timer = setInterval(beat, intervalMs);
  timer.unref();
  return {
    [Symbol.dispose]() {
      isOver = true;
      clearInterval(timer);
    },
  };
}
