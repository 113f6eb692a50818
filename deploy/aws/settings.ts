import type { SettingsInput } from "./lib/settings.ts";

/** What runs on AWS, and how large; lib/settings.ts tells of all settings and their defaults. */
export const settings: SettingsInput = {
  region: "us-east-1",
  // alarmEmail: "you@example.org",
  // domain: { name: "example.org", hostedZoneId: "Z0123456789ABCDEFGHIJ" },
};
