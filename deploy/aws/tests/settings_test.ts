import { describe, expect, test } from "bun:test";
import { parseSettings, type SettingsInput } from "../lib/settings.ts";
import { settings } from "../settings.ts";

const DOMAIN = { name: "example.org", hostedZoneId: "Z0123456789ABCDEFGHIJ" };
const PEER = { name: "go", host: "go.example.net", weight: 1 };

describe("parseSettings()", () => {
  test("takes the file as it is, and adds the defaults", () => {
    expect(parseSettings(settings)).toMatchObject({
      name: "Eth",
      servers: { minimum: 2, openTo: "network" },
      data: { standby: false, backupDays: 7 },
      client: { count: 1, rpcUrls: [] },
    });
  });

  const wrong: readonly (readonly [string, SettingsInput | object, string])[] = [
    ["no region", {}, "region"],
    ["a region that is none", { region: "Frankfurt" }, "a region such as us-east-1"],
    ["an unknown setting", { region: "us-east-1", colour: "red" }, "colour"],
    ["one zone", { region: "us-east-1", zones: ["a"] }, "zones"],
    ["a range that is none", { region: "us-east-1", network: { cidr: "10.0.0.1" } }, "10.20.0.0/16"],
    [
      "more servers at least than at most",
      { region: "us-east-1", servers: { minimum: 3, maximum: 2 } },
      "a minimum that is at most the maximum",
    ],
    [
      "a platform without Docker",
      { region: "us-east-1", servers: { platform: "64bit Amazon Linux 2023 v6.1.0 running Node.js 20" } },
      "runs Docker",
    ],
    [
      "addresses of nodes twice",
      { region: "us-east-1", client: { rpcUrls: ["https://a.example"], rpcUrlsSecret: "urls" } },
      "not both",
    ],
    ["a file as a node", { region: "us-east-1", client: { rpcUrls: ["file:///etc/passwd"] } }, "rpcUrls"],
    [
      "peers that clients outside could not leave",
      { region: "us-east-1", domain: { ...DOMAIN, peers: [PEER] } },
      'servers.openTo "internet"',
    ],
  ];
  test.each(wrong)("refuses %s", (_, input, expected) => {
    expect(() => parseSettings(input as SettingsInput)).toThrow(expected);
  });
});
