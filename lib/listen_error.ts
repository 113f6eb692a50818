import { OperationalError } from "./operational_error.ts";
import { formatAddress } from "./printable.ts";

/** Puts into a sentence why an address cannot be listened on. */
export function createListenError(
  { host, port, flags = "--" }: { host: string; port: number; /** How its flags begin. */ flags?: string },
  cause: unknown,
): OperationalError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason =
    code === "EADDRINUSE"
      ? `another program listens there; choose another ${flags}port`
      : code === "EACCES"
        ? `ports below 1024 need privileges; choose another ${flags}port`
        : code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || message.startsWith("Failed to listen at")
          ? `it is no address of this machine; choose another ${flags}host`
          : message;
  return new OperationalError(`Cannot listen on ${formatAddress({ ip: host, port })}: ${reason}`, { cause });
}
