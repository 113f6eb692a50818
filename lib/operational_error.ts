/**
 * Something outside the program that people can mend: a port in use, a file that cannot be written.
 *
 * An entry that fails with it prints the message alone, without a stack, and exits with status 1.
 */
export class OperationalError extends Error {
  override readonly name = "OperationalError";
  readonly code = "operational";
}
