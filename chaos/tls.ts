import { readFileSync } from "node:fs";
import { connect, type TlsOptions } from "../lib/wire/connect.ts";
import { makeCertificates } from "../tests/support/certificates.ts";
import { makeExpired, makeNamed } from "../tests/support/bad_certificates.ts";
import { okFor } from "../tests/support/netstring_client.ts";
import { openTempFolder } from "../tests/support/temp_folder.ts";
import { exchange } from "./good_clients.ts";
import type { LedgerLine, Scenario } from "./ledger.ts";
import { startServer } from "./server_process.ts";

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Tries a message; gives whether it was acknowledged. */
async function isTaken(port: number, tls: TlsOptions): Promise<boolean> {
  try {
    using connection = await connect({
      host: "127.0.0.1",
      port,
      tls,
      connectTimeoutMs: 3000,
      replyTimeoutMs: 3000,
    });
    const reply = await connection.send("hello");
    return reply?.kind === "ok" && `ok ${reply.hash}` === okFor("hello");
  } catch {
    return false; // which is what most of these are about
  }
}

/** Certificates of every kind, on both sides. */
export const tls: Scenario = async () => {
  await using folder = await openTempFolder();
  const good = makeCertificates(folder);
  const stranger = makeCertificates(folder, "stranger");
  const expired = makeExpired(folder, good);
  const misnamed = makeNamed(folder, { ...good, name: "elsewhere.test" });
  const read = (path: string) => readFileSync(path, "utf8");
  const show = ({ cert, key }: Pair) => ({ cert: read(cert), key: read(key) });
  const ca = read(good.ca);
  const lines: LedgerLine[] = [];

  const asServer = { good, expired, "wrong name": misnamed, "unknown authority": stranger };
  const served: Record<string, boolean> = {};
  for (const [kind, { cert, key }] of Object.entries(asServer)) {
    await using server = await startServer({ flags: ["--no-store", "--tls-cert", cert, "--tls-key", key] });
    served[kind] = await isTaken(server.port, { ca });
  }
  lines.push(sumUp("certificates of the server", served, ["good"]));

  const flags = ["--no-store", "--tls-cert", good.cert, "--tls-key", good.key, "--tls-client-ca", good.ca];
  await using server = await startServer({ flags });
  const asClient = {
    good: show(good),
    "another name": show(misnamed),
    expired: show(expired),
    "unknown authority": show(stranger),
    none: {},
  };
  const taken: Record<string, boolean> = {};
  for (const [kind, own] of Object.entries(asClient))
    taken[kind] = await isTaken(server.port, { ca, ...own });
  const plain = await exchange({ hostname: "127.0.0.1", port: server.port }, Buffer.from("5:hello,"));
  taken["no TLS at all"] = plain.includes("ok ");
  taken["good, after all of these"] = await isTaken(server.port, { ca, ...show(good) });
  // A client's certificate says who vouches for it; the name in it is not looked at.
  lines.push(
    sumUp("certificates of the client", taken, ["good", "another name", "good, after all of these"]),
  );
  return lines;
};

function sumUp(
  done: string,
  taken: Readonly<Record<string, boolean>>,
  allowed: readonly string[],
): LedgerLine {
  const kinds = Object.entries(taken);
  const promises = kinds.map(([kind, isIn]) => {
    const mustBeIn = allowed.includes(kind);
    return [`${kind} is ${mustBeIn ? "taken" : "refused"}`, isIn === mustBeIn] as const;
  });
  return {
    done,
    tried: kinds.length,
    refused: kinds.filter(([, isIn]) => !isIn).length,
    lost: kinds.filter(([kind, isIn]) => allowed.includes(kind) && !isIn).length,
    figures: kinds.map(([kind, isIn]) => `${kind}: ${isIn ? "taken" : "refused"}`).join(", "),
    promises: Object.fromEntries(promises),
  };
}
