import { choice, file, host, listenPort, seconds, toggle } from "../flags.ts";

/** Longest time that a flag may set, in seconds. */
export const DAY_SECONDS = 86_400;

/** Flags of every entry. */
export const commonFlags = {
  verbose: toggle({ flag: "verbose", alias: "v", description: "log every step" }),
  waitMs: seconds(
    { min: 0, max: DAY_SECONDS },
    { flag: "wait", default: "0", description: "wait this long before doing anything" },
  ),
  logFormat: choice(["text", "json"], {
    flag: "log-format",
    default: "text",
    description: "form of the log lines on stderr",
  }),
};

/** The embedded store, which the server writes and the stats API reads. */
export const sqliteFlag = file({
  flag: "sqlite",
  default: "eth.db",
  description: "database file of the embedded store",
});

/** Flags of the entries that run for long. */
export const metricsFlags = {
  metricsPort: listenPort({
    flag: "metrics-port",
    description: "HTTP port for /metrics, /healthz and /readyz; 0 takes a free one",
  }),
  metricsHost: host({
    flag: "metrics-host",
    default: "localhost",
    description: "address to listen on with --metrics-port",
  }),
};
