import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { OperationalError } from "./operational_error.ts";
import type { TlsOptions } from "./wire/connect.ts";

/** What the `--tls-…` flags say; paths of PEM files. */
export interface TlsSettings {
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
}

/**
 * Reads the files that the `--tls-…` flags name.
 *
 * @throws {OperationalError} when one cannot be read or used
 */
export async function readTlsFiles(settings: TlsSettings): Promise<TlsOptions> {
  const { tlsCa, tlsCert, tlsKey, tlsServerName: serverName } = settings;
  const [ca, cert, key] = await Promise.all([
    readPem("--tls-ca", tlsCa),
    readPem("--tls-cert", tlsCert),
    readPem("--tls-key", tlsKey),
  ]);
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    throw new OperationalError(`Cannot use the files of the --tls flags: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { ca, cert, key, serverName };
}

async function readPem(flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new OperationalError(`Cannot read ${flag} ${path}: ${error.message}`, { cause: error });
  });
  // An empty text would pass, and stand for the authorities of the system.
  if (!text.includes("-----BEGIN "))
    throw new OperationalError(`Cannot use ${flag} ${path} as it is no PEM file`);
  return text;
}
