import { z } from "zod";

/** The port that servers listen on, here and in the containers of the older implementations. */
export const SERVER_PORT = 8888;

const cidr = z.cidrv4({ error: "a range of IPv4 addresses such as 10.20.0.0/16" });
const host = z
  .string()
  .regex(/^(?=.{1,253}$)([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z]{2,}$/i, { error: "a host name" });
const instanceType = z.string().regex(/^[a-z]\d\w*\.\w+$/, { error: "a type such as t4g.micro" });
const weight = z.int().min(0).max(255);

const peer = z.strictObject({
  /** What it is called in Route 53 and in alarms. */
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, { error: "lower case letters, digits and hyphens" }),
  /** Its load balancer, or one of its servers; it must listen on port 8888 too. */
  host,
  /** Its share of the clients. */
  weight,
});

const schema = z
  .strictObject({
    /** First part of the names of all stacks; two systems in one account have two names. */
    name: z
      .string()
      .regex(/^[A-Z][A-Za-z0-9]{0,15}$/, { error: "up to 16 letters and digits, the first a capital" })
      .default("Eth"),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, { error: "a region such as us-east-1" }),
    /** The account's number; it is the one of the credentials unless it is given. */
    account: z
      .string()
      .regex(/^\d{12}$/, { error: "the 12 digits of an account" })
      .optional(),
    /** Letters of the region's availability zones. */
    zones: z
      .array(z.string().regex(/^[a-z]$/, { error: "the letter of a zone" }))
      .min(2)
      .max(3)
      .default(["a", "b"]),
    network: z
      .strictObject({
        cidr: cidr.default("10.20.0.0/16"),
        /** Whether AWS's own services are reached from each zone, or through the first one alone, at half the price. */
        endpointsInEachZone: z.boolean().default(false),
      })
      .prefault({}),
    data: z
      .strictObject({
        mysqlInstance: instanceType.default("t4g.micro"),
        mysqlStorageGb: z.int().min(20).max(65_536).default(20),
        redisNode: instanceType.default("t4g.micro"),
        /** Keeps a second MySQL and a second Redis in another zone, which take over by themselves. */
        standby: z.boolean().default(false),
        backupDays: z.int().min(1).max(35).default(7),
      })
      .prefault({}),
    servers: z
      .strictObject({
        instance: instanceType.default("t4g.micro"),
        minimum: z.int().min(1).default(2),
        maximum: z.int().min(1).default(4),
        /** Who may send: clients in the network of this system alone, or everybody. */
        openTo: z.enum(["network", "internet"]).default("network"),
        /** Platform of Elastic Beanstalk; `aws elasticbeanstalk list-available-solution-stacks` lists those there are. */
        platform: z
          .string()
          .regex(/^64bit Amazon Linux 2023 v\d+\.\d+\.\d+ running Docker$/, {
            error: "an Amazon Linux 2023 platform that runs Docker",
          })
          .default("64bit Amazon Linux 2023 v4.7.2 running Docker"),
      })
      .refine(({ minimum, maximum }) => minimum <= maximum, {
        error: "a minimum that is at most the maximum",
      })
      .prefault({}),
    client: z
      .strictObject({
        /** Clients side by side; pages that several of them send are stored once. */
        count: z.int().min(0).default(1),
        /** Ethereum nodes; without any, keyless ones of mainnet. */
        rpcUrls: z.array(z.url({ protocol: /^(https?|wss?)$/ })).default([]),
        /** Name of a secret in Secrets Manager that holds addresses with keys in them, separated by commas. */
        rpcUrlsSecret: z.string().min(1).optional(),
      })
      .refine(({ rpcUrls, rpcUrlsSecret }) => rpcUrls.length === 0 || rpcUrlsSecret === undefined, {
        error: "rpcUrls or rpcUrlsSecret, not both",
      })
      .prefault({}),
    /** Where alarms are sent; without it they are only shown. */
    alarmEmail: z.email().optional(),
    domain: z
      .strictObject({
        /** A public zone of Route 53. */
        name: host,
        hostedZoneId: z.string().regex(/^Z[A-Z0-9]+$/, { error: "the id of a hosted zone" }),
        /** Name of the stats API below the domain. */
        stats: z.string().default("stats"),
        /** Name, below the domain, under which clients find servers. */
        servers: z.string().default("servers"),
        /** Share of the clients that this system takes. */
        weight: weight.default(100),
        /** Environments of the older implementations that take the others. */
        peers: z.array(peer).default([]),
      })
      .optional(),
  })
  .refine(({ domain, servers }) => !domain?.peers.length || servers.openTo === "internet", {
    error: 'servers.openTo "internet", as clients outside of this network find its servers by domain.peers',
    path: ["servers", "openTo"],
  });

/** What is written in the settings file. */
export type SettingsInput = z.input<typeof schema>;
/** Settings with all defaults. */
export type Settings = z.output<typeof schema>;

/**
 * Checks settings and adds the defaults.
 *
 * @throws {TypeError} naming each setting that cannot be used and what was expected
 */
export function parseSettings(input: SettingsInput): Settings {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new TypeError(`Cannot use the settings:\n${z.prettifyError(parsed.error)}`);
}
