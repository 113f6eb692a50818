import { z } from "zod";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

const answer = z.object({ SecretString: z.string().min(1) });
const account = z.object({ username: z.string(), password: z.string() });

const DEFAULT_PORT = 2773;
const TIMEOUT_MS = 3000;

/**
 * Adds to an environment the secrets that it names: for `NAME_SECRET`, which holds the secret's ARN, `NAME`. They come
 * from the process beside the function that AWS calls "Parameters and Secrets Lambda Extension", which keeps them for
 * a while.
 *
 * @throws {Error} when a secret cannot be read
 */
export async function readSecrets(environment: Environment): Promise<Environment> {
  const named = Object.entries(environment).flatMap(([name, arn]) =>
    name.endsWith("_SECRET") && arn ? [[name.replace(/_SECRET$/, ""), arn] as const] : [],
  );
  const secrets = named.map(async ([name, arn]) => [name, await readSecret(arn, environment)] as const);
  return { ...environment, ...Object.fromEntries(await Promise.all(secrets)) };
}

async function readSecret(arn: string, environment: Environment): Promise<string> {
  const port = environment["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"] ?? DEFAULT_PORT;
  const response = await fetch(
    `http://localhost:${port}/secretsmanager/get?secretId=${encodeURIComponent(arn)}`,
    {
      headers: { "X-Aws-Parameters-Secrets-Token": environment["AWS_SESSION_TOKEN"] ?? "" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
  );
  if (!response.ok)
    throw new Error(`Cannot read the secret ${arn}: ${response.status} ${await response.text()}`);
  return flatten(answer.parse(await response.json()).SecretString);
}

/** A secret of a user and a password, in JSON, reads as `user:password`. */
function flatten(secret: string): string {
  if (!secret.startsWith("{")) return secret;
  const { username, password } = account.parse(JSON.parse(secret));
  return `${username}:${password}`;
}
