import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { runClient } from "../lib/client.ts";
import type { ClientSettings } from "../lib/settings/client.ts";
import { startAckServer } from "./support/ack_server.ts";
import { makeCertificates, type Certificates } from "./support/certificates.ts";
import { startChainNode } from "./support/chain_node.ts";
import { startPeerServer } from "./support/peer_server.ts";
import { createClientOptions, startClient } from "./support/running_client.ts";
import { openTempFolder } from "./support/temp_folder.ts";

function startTlsServer({ ca, cert, key }: Certificates, options: { readonly isMutual?: boolean } = {}) {
  const read = (path: string) => readFileSync(path, "utf8");
  const mutual = options.isMutual ? { ca: read(ca), requestCert: true, rejectUnauthorized: true } : {};
  return startAckServer({ tls: { cert: read(cert), key: read(key), ...mutual } });
}

/** Runs a client with flags for TLS against a server, until its log holds a text. */
async function runUntil(said: string, { port, ...settings }: Partial<ClientSettings>) {
  await using node = startChainNode();
  const rpcUrls = [node.httpUrl];
  await using client = startClient({ rpcUrls, port, tls: true, ...settings });
  await client.saw(said);
}

describe("--tls", () => {
  test("delivers to a server whose certificate is trusted, by address or by name", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    await using server = startTlsServer(files);
    await runUntil("Block 0 is delivered and acknowledged", { port: server.port, tlsCa: files.ca });
    const named = { port: server.port, tlsCa: files.ca, tlsServerName: "server.test", persistent: true };
    await runUntil("Block 0 is delivered and acknowledged", named);
    expect(server.blocks).toEqual([0n, 0n]);
  });

  test("trusts neither another authority nor another name, and sends nothing", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    await using server = startTlsServer(files);
    const { port } = server;
    await runUntil("cannot be trusted: ", { port });
    await runUntil("cannot be trusted: ", { port, tlsCa: makeCertificates(folder, "other").ca });
    const wrongName = { port, tlsCa: files.ca, tlsServerName: "other.test" };
    await runUntil("cannot be trusted: Hostname/IP does not match", wrongName);
    expect(server.blocks).toEqual([]);
  });

  test("shows a certificate to a server that asks for one", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    await using server = startTlsServer(files, { isMutual: true });
    const settings = { port: server.port, tlsCa: files.ca };
    const own = { ...settings, tlsCert: files.cert, tlsKey: files.key };
    await runUntil("Block 0 is delivered and acknowledged", own);
    const stranger = makeCertificates(folder, "stranger");
    await runUntil("(failure 2)", settings);
    await runUntil("(failure 2)", { ...settings, tlsCert: stranger.cert, tlsKey: stranger.key });
    expect(server.blocks).toEqual([0n]);
  });

  test("takes silence for failure, as older servers know no TLS", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    await using server = await startPeerServer({ reset: true });
    await runUntil("(failure 2)", { port: server.port, tlsCa: files.ca });
    expect(server.messages).toEqual([]);
  });

  test("says which file cannot be used", async () => {
    await using folder = await openTempFolder();
    const files = makeCertificates(folder);
    const other = makeCertificates(folder, "other");
    writeFileSync(folder.file("text"), "hello");
    const run = (settings: Partial<ClientSettings>) =>
      runClient(createClientOptions({ rpcUrls: ["http://127.0.0.1:1"], tls: true, ...settings }));
    await expect(run({ tlsCa: folder.file("none") })).rejects.toThrow(/^Cannot read --tls-ca .*none: ENOENT/);
    await expect(run({ tlsCa: folder.file("text") })).rejects.toThrow(
      /^Cannot use --tls-ca .*text as it is no PEM file$/,
    );
    await expect(run({ tlsCert: files.cert, tlsKey: other.key })).rejects.toThrow(
      /^Cannot use the files of the --tls flags: /,
    );
  });
});
