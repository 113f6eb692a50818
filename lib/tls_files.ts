import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { OperationalError } from "./operational_error.ts";
import type { TlsOptions } from "./wire/connect.ts";
import type { ListenTls } from "./wire/listen.ts";

/** What the client's `--tls-…` flags say; paths of PEM files. */
export interface TlsSettings {
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
}

/** What the server's `--tls-…` flags say; paths of PEM files. */
export interface ServerTlsSettings {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
}

/**
 * Reads the files that the client's `--tls-…` flags name.
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
  check({ ca, cert, key });
  return { ca, cert, key, serverName };
}

/**
 * Reads the files that the server's `--tls-…` flags name; resolves to nothing when it is to speak plainly.
 *
 * @throws {OperationalError} when one cannot be read or used
 */
export async function readServerTlsFiles(settings: ServerTlsSettings): Promise<ListenTls | undefined> {
  const { tlsCert, tlsKey, tlsClientCa } = settings;
  const [cert, key, clientCa] = await Promise.all([
    readPem("--tls-cert", tlsCert),
    readPem("--tls-key", tlsKey),
    readPem("--tls-client-ca", tlsClientCa),
  ]);
  if (cert === undefined || key === undefined) return undefined;
  check({ ca: clientCa, cert, key });
  return { cert, key, clientCa };
}

function check(context: SecureContextOptions): void {
  try {
    createSecureContext(context);
  } catch (error) {
    throw new OperationalError(`Cannot use the files of the --tls flags: ${(error as Error).message}`, {
      cause: error,
    });
  }
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
