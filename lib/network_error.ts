const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ConnectionRefused: "nothing listens there",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "there is no such host, or no network",
  EAI_AGAIN: "names cannot be looked up now",
  ETIMEDOUT: "there was no answer in time",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
};

/** Puts into words why a network operation failed, to follow a colon. */
export function describeNetworkError(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
