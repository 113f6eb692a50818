import { mkdirSync } from "node:fs";

/** Where the images of these tests are kept, apart from all others on the machine. */
const STORAGE = "/var/tmp/eth-client-server-images";

/** What an image says of itself. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Volumes?: Readonly<Record<string, unknown>>;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Healthcheck?: { readonly Test?: readonly string[] };
}

/**
 * Runs buildah, which needs no engine, and resolves to what it wrote on stdout.
 *
 * @throws {Error} with what it wrote on stderr when it fails
 */
export async function buildah(...args: readonly string[]): Promise<string> {
  mkdirSync(STORAGE, { recursive: true });
  const roots = [`--root=${STORAGE}/root`, `--runroot=${STORAGE}/run`, "--storage-driver=overlay"];
  const [command = "", ...rest] = args;
  const child = Bun.spawn(["buildah", ...roots, command, ...rest], {
    env: { ...process.env, BUILDAH_ISOLATION: "chroot" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0)
    throw new Error(`Cannot run buildah ${command}: ${stderr.trim()}\n${stdout.slice(-2000)}`);
  return stdout.trim();
}

/** Reads what an image says of itself. */
export async function readImageConfig(image: string): Promise<ImageConfig> {
  const { Docker } = JSON.parse(await buildah("inspect", "--type=image", image)) as {
    readonly Docker: { readonly config: ImageConfig };
  };
  return Docker.config;
}
