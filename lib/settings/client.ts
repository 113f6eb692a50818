import { isIPv6 } from "node:net";
import { z } from "zod";
import { UsageError } from "../cli.ts";
import { MAINNET_URLS } from "../ethereum/mainnet.ts";
import {
  choice,
  file,
  HIGHEST_PORT,
  host,
  list,
  port,
  seconds,
  toggle,
  whole,
  words,
  type SettingsOf,
} from "../flags.ts";
import type { HostAndPort } from "../servers.ts";
import { commonFlags, DAY_SECONDS, metricsFlags } from "./common.ts";

const rpcUrl = z
  .url({
    protocol: /^(https?|wss?)$/,
    error: "http://, https://, ws:// or wss:// addresses, separated by commas",
  })
  .refine((url) => !url.includes("#"), { error: "addresses without a fragment behind a #" });

const serverAddress = z.string().transform(readHostAndPort);

/** Flags of the client. */
export const clientFlags = {
  host: host({
    flag: "host",
    defaultText: "localhost, unless there is --server",
    description: "server to send pages to, tried before those of --server",
  }),
  port: port({
    flag: "port",
    defaultText: "9999, unless there is --server",
    description: "TCP port of that server",
  }),
  servers: list(serverAddress, {
    flag: "server",
    placeholder: "HOST:PORT",
    description: "a further server; more, by repetition or commas, stand in for each other",
  }),
  intervalMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    { flag: "interval", default: "5", description: "time from the start of one poll to the next" },
  ),
  rpcUrls: list(rpcUrl, {
    flag: "rpc-url",
    secret: true, // many hold a key
    placeholder: "URL",
    default: MAINNET_URLS.join(","),
    defaultText: `${MAINNET_URLS.length} keyless endpoints of mainnet`,
    description:
      "Ethereum JSON-RPC endpoint: ws:// and wss:// are subscribed to, http:// and https:// polled; more, by repetition or commas, stand in for it",
  }),
  rpcTimeoutMs: seconds(
    { min: 0.1, max: 600 },
    { flag: "rpc-timeout", default: "5", description: "longest wait for an endpoint's answer" },
  ),
  stallTimeoutMs: seconds(
    { min: 0.1, max: DAY_SECONDS },
    {
      flag: "stall-timeout",
      defaultText: "3 block times, which are learnt",
      description: "silence after which a subscription is checked",
    },
  ),
  chainId: {
    flag: "chain-id",
    placeholder: "NUMBER",
    defaultText: "that of the first endpoint",
    description: "chain that every endpoint must be on; 1 is mainnet",
    schema: z
      .string()
      .regex(/^[1-9]\d{0,19}$/, { error: "a chain's number in decimal" })
      .transform(BigInt),
  },
  emitMissed: toggle({
    flag: "emit-missed",
    description: "send every block between the last one and the new one too, in order",
  }),
  maxGap: whole(
    { min: 1, max: 1_000_000_000 },
    {
      flag: "max-gap",
      needs: ["emit-missed"],
      placeholder: "BLOCKS",
      defaultText: "7200",
      description: "most blocks that --emit-missed catches up on; the oldest beyond it are given up",
    },
  ),
  state: file({
    flag: "state",
    description: "keeps the last acknowledged block, from which a restarted client goes on",
  }),
  ack: choice(["auto", "required", "off"], {
    flag: "ack",
    default: "auto",
    description:
      "whether a page must be acknowledged; auto: once the server has shown that it does; off: do not wait",
  }),
  persistent: toggle({
    flag: "persistent",
    description: "send many pages over one connection, to a server that acknowledges",
  }),
  tls: toggle({ flag: "tls", description: "encrypt connections to servers" }),
  tlsCa: file({
    flag: "tls-ca",
    needs: ["tls"],
    defaultText: "those of the system",
    description: "PEM file of the authorities that servers' certificates must come from",
  }),
  tlsCert: file({
    flag: "tls-cert",
    needs: ["tls", "tls-key"],
    description: "PEM file of the certificate to show to servers",
  }),
  tlsKey: file({ flag: "tls-key", needs: ["tls", "tls-cert"], description: "PEM file of its key" }),
  tlsServerName: words({
    flag: "tls-server-name",
    needs: ["tls"],
    placeholder: "NAME",
    defaultText: "the server's host",
    description: "name that servers' certificates must bear",
  }),
  once: toggle({
    flag: "once",
    description: "send the current block, wait for its acknowledgement and exit",
  }),
  ...metricsFlags,
  ...commonFlags,
} as const;

/** Settings of the client. */
export type ClientSettings = SettingsOf<typeof clientFlags>;

/**
 * Checks what the client's flags say together.
 *
 * @throws {UsageError} when they contradict each other
 */
export function checkClientSettings(settings: ClientSettings): void {
  const { persistent, state, ack } = settings;
  if (ack !== "off") return;
  if (persistent)
    throw new UsageError("Cannot use --persistent with --ack off: without answers a break would lose pages");
  if (state !== undefined)
    throw new UsageError("Cannot use --state with --ack off: it holds the last acknowledged block");
}

function readHostAndPort(text: string, context: z.RefinementCtx): HostAndPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host && port >= 1 && port <= HIGHEST_PORT && (!bracketed || isIPv6(bracketed))) return { host, port };
  context.addIssue({
    code: "custom",
    message: `HOST:PORT, an IPv6 address in brackets, the port from 1 to ${HIGHEST_PORT}`,
  });
  return z.NEVER;
}
