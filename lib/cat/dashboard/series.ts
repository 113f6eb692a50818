/** A point of a curve: when, in seconds since the epoch, and how much; null leaves a gap. */
export type Point = readonly [atSeconds: number, value: number | null];

/** What the charts show, each as a list of times and lists of values, as uPlot takes them. */
export interface Series {
  /** Seconds from block to block over the last hour. */
  readonly hour: readonly (readonly (number | null)[])[];
  /** The same over the last day: mean and longest of every quarter of an hour. */
  readonly day: readonly (readonly (number | null)[])[];
  /** Messages in each minute of the last hour. */
  readonly messages: readonly (readonly (number | null)[])[];
}

/** Sum of all messages at the end of a minute, by the number of the minute since the epoch. */
export type MinuteTotals = ReadonlyMap<number, number>;

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const MINUTE_SECONDS = 60;
const DAY_STEP_SECONDS = 900;
const MAX_POINTS = 1000;

/** Computes what the charts show from the times at which blocks were first seen, the newest first. */
export function computeSeries(
  timesSeconds: readonly number[],
  { nowSeconds, totals }: { readonly nowSeconds: number; readonly totals: MinuteTotals },
): Series {
  const intervals = intervalsOf(timesSeconds, nowSeconds - DAY_SECONDS);
  const hour = intervals.filter(([at]) => at >= nowSeconds - HOUR_SECONDS).slice(-MAX_POINTS);
  // By hand, as the stats API also runs on a Node.js without Map.groupBy().
  const steps = new Map<number, (readonly [number, number])[]>();
  for (const interval of intervals) {
    const step = Math.floor(interval[0] / DAY_STEP_SECONDS);
    steps.set(step, [...(steps.get(step) ?? []), interval]);
  }
  const day = [...steps].map(([step, points]) => {
    const values = points.map(([, seconds]) => seconds);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [(step + 0.5) * DAY_STEP_SECONDS, round(mean), round(Math.max(...values))] as const;
  });
  const messages = countMinutes(totals, Math.floor(nowSeconds / MINUTE_SECONDS));
  return { hour: transpose(hour, 2), day: transpose(day, 3), messages: transpose(messages, 2) };
}

/** Computes the median of the last hour's intervals in seconds; none while there are fewer than two blocks. */
export function medianInterval(timesSeconds: readonly number[], nowSeconds: number): number | undefined {
  const seconds = intervalsOf(timesSeconds, nowSeconds - HOUR_SECONDS)
    .map(([, interval]) => interval)
    .toSorted((a, b) => a - b);
  return seconds[Math.floor(seconds.length / 2)];
}

/** Computes the messages of the last minute that is over; none while it was not watched whole. */
export function lastMinute(totals: MinuteTotals, nowSeconds: number): number | undefined {
  const minute = Math.floor(nowSeconds / MINUTE_SECONDS) - 1;
  return messagesIn(totals, minute);
}

function intervalsOf(timesSeconds: readonly number[], sinceSeconds: number) {
  return timesSeconds
    .flatMap((at, index) => {
      const before = timesSeconds[index + 1];
      return before === undefined || at < sinceSeconds ? [] : [[at, round(at - before)] as const];
    })
    .toReversed();
}

function countMinutes(totals: MinuteTotals, lastMinuteNumber: number): Point[] {
  return Array.from({ length: HOUR_SECONDS / MINUTE_SECONDS }, (_, index) => {
    const minute = lastMinuteNumber - (HOUR_SECONDS / MINUTE_SECONDS - 1) + index;
    return [minute * MINUTE_SECONDS, messagesIn(totals, minute) ?? null];
  });
}

function messagesIn(totals: MinuteTotals, minute: number): number | undefined {
  const [before, after] = [totals.get(minute - 1), totals.get(minute)];
  // A sum that falls is another store's.
  return before === undefined || after === undefined || after < before ? undefined : after - before;
}

function transpose(rows: readonly (readonly (number | null)[])[], columns: number) {
  return Array.from({ length: columns }, (_, column) => rows.map((row) => row[column] ?? null));
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
