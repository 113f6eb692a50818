import type { Readers } from "../../../lib/store/open.ts";

/** Where the metrics are found in CloudWatch. */
export const METRICS_NAMESPACE = "EthClientServer";

const UNITS = { SecondsSinceBlock: "Seconds", SpooledMessages: "Count", StoresAway: "Count" } as const;

/** Name of a metric. */
export type MetricName = keyof typeof UNITS;

/** How the system is; what a store that is away would have told is absent. */
export type Report = Readonly<Partial<Record<MetricName, number>>>;

/** Options of {@linkcode readReport}. */
export interface ReadReportOptions extends Pick<Readers, "pages" | "stats"> {
  readonly nowMs: number;
}

/** Asks the stores how the system is; never rejects, as a store that is away is what it is about. */
export async function readReport({ pages, stats, nowMs }: ReadReportOptions): Promise<Report> {
  const [hashes, servers, ...checks] = await Promise.allSettled([
    stats.listHashes({ limit: 1 }),
    stats.listServers(),
    pages.check(),
    stats.check(),
  ]);
  const newest = hashes.status === "fulfilled" ? hashes.value[0] : undefined;
  return {
    ...(newest ? { SecondsSinceBlock: Math.max(0, nowMs / 1000 - newest.receivedAtSeconds) } : {}),
    ...(servers.status === "fulfilled"
      ? { SpooledMessages: servers.value.reduce((sum, { spooled }) => sum + spooled, 0) }
      : {}),
    StoresAway: checks.filter(({ status }) => status === "rejected").length,
  };
}

/**
 * Renders a report as a log line that CloudWatch takes metrics from (AWS, "Embedded metric format specification").
 */
export function renderReport(
  report: Report,
  { system, nowMs }: { readonly system: string; readonly nowMs: number },
): string {
  const names = Object.keys(report) as MetricName[]; // as the type says, it has no other keys
  return JSON.stringify({
    _aws: {
      Timestamp: nowMs,
      CloudWatchMetrics: [
        {
          Namespace: METRICS_NAMESPACE,
          Dimensions: [["System"]],
          Metrics: names.map((name) => ({ Name: name, Unit: UNITS[name] })),
        },
      ],
    },
    System: system,
    ...report,
  });
}
