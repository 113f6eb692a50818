import { z } from "zod";
import { host, listenPort, type SettingsOf } from "../flags.ts";
import { commonFlags, sqliteFlag } from "./common.ts";
import { databaseFlags } from "./databases.ts";

const credentials = z
  .string()
  .regex(/^[^:]+:./s, { error: "a user, a colon and a password" })
  .transform((text) => {
    const at = text.indexOf(":");
    return { user: text.slice(0, at), password: text.slice(at + 1) };
  });

/** Flags of the stats API. */
export const statsFlags = {
  host: host({
    flag: "host",
    default: "localhost",
    description: "address to listen on",
  }),
  port: listenPort({
    flag: "port",
    default: "5000",
    description: "HTTP port to listen on; 0 takes a free one",
  }),
  auth: {
    flag: "auth",
    placeholder: "USER:PASSWORD",
    sharedEnv: "STATS_AUTH",
    secret: true,
    defaultText: "all may look",
    description: "who may look; the environment keeps it out of the list of processes",
    schema: credentials,
  },
  sqlite: sqliteFlag,
  ...databaseFlags,
  ...commonFlags,
} as const;

/** Settings of the stats API. */
export type StatsSettings = SettingsOf<typeof statsFlags>;
