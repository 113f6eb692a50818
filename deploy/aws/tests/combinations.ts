import type { SettingsInput } from "../lib/settings.ts";

/** Settings, and whether the data may go. */
export interface Combination {
  readonly settings: SettingsInput;
  readonly discardData: boolean;
}

const PEERS = [
  { name: "go", host: "go.example.net", weight: 50 },
  { name: "python", host: "python.example.net", weight: 0 },
];
const DOMAIN = { name: "example.org", hostedZoneId: "Z0123456789ABCDEFGHIJ" };

/** A domain or none, older implementations beside this one or none, and who may send: all that go together. */
const NAMES: readonly Partial<SettingsInput>[] = [
  { servers: { openTo: "network" } },
  { servers: { openTo: "internet" } },
  { domain: DOMAIN, servers: { openTo: "network" } },
  { domain: DOMAIN, servers: { openTo: "internet" } },
  { domain: { ...DOMAIN, peers: PEERS }, servers: { openTo: "internet" } },
];
const REGIONS: readonly Pick<SettingsInput, "region" | "account">[] = [
  { region: "us-east-1" },
  { region: "eu-central-1", account: "123456789012" },
];
const NETWORKS: readonly Partial<SettingsInput>[] = [
  {},
  { network: { endpointsInEachZone: true }, zones: ["a", "b", "c"], alarmEmail: "you@example.org" },
];
const DATA: readonly Partial<SettingsInput>[] = [{}, { data: { standby: true } }];
const CLIENTS: readonly Partial<SettingsInput>[] = [
  {},
  { client: { rpcUrls: ["https://one.example.net/rpc", "ws://two.example.net:8546"] } },
  { client: { rpcUrlsSecret: "rpc-urls" } },
];

/** Every combination of the settings that change which resources there are, or how they are connected. */
export function* combinations(): Generator<Combination> {
  for (const region of REGIONS)
    for (const names of NAMES)
      for (const network of NETWORKS)
        for (const data of DATA)
          for (const client of CLIENTS)
            for (const discardData of [false, true])
              yield { settings: { ...region, ...names, ...network, ...data, ...client }, discardData };
}
