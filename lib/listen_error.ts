import { OperationalError } from "./operational_error.ts";
import { formatAddress } from "./printable.ts";

/** Puts into a sentence why an address cannot be listened on. */
export function createListenError(
  { host, port }: { host: string; port: number },
  cause: unknown,
): OperationalError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason =
    code === "EADDRINUSE"
      ? "another program listens there; choose another --port"
      : code === "EACCES"
        ? "ports below 1024 need privileges; choose another --port"
        : code === "EADDRNOTAVAIL" || code === "ENOTFOUND"
          ? "it is no address of this machine; choose another --host"
          : message;
  return new OperationalError(`Cannot listen on ${formatAddress({ ip: host, port })}: ${reason}`, { cause });
}
