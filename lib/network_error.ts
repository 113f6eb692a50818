const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ConnectionRefused: "nothing listens there",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "there is no such host, or no network",
  EAI_AGAIN: "names cannot be looked up now",
  ETIMEDOUT: "there was no answer in time",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  EPROTO: "the TLS handshake failed; TLS may not be spoken there",
  HPE_INVALID_CONSTANT: "HTTP is not spoken there",
  Malformed_HTTP_Response: "HTTP is not spoken there",
};

/** Puts into words why a network operation failed, to follow a colon. */
export function describeNetworkError(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
