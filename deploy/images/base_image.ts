import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildah } from "./buildah.ts";

/** What this machine trusts, so that the build also works behind a proxy with a certificate of its own. */
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

/**
 * Makes a stand-in for Bun's own image where no registry is reached: Debian's smallest system and this very Bun, under
 * the name that the Dockerfile asks for. It is made once and kept.
 */
export async function makeBaseImage(name: string): Promise<void> {
  if ((await buildah("images", "--format={{.Name}}:{{.Tag}}")).split("\n").includes(name)) return;
  const folder = mkdtempSync("/var/tmp/eth-base-");
  try {
    const debootstrap = Bun.spawn(
      ["debootstrap", "--variant=minbase", "bookworm", folder, "http://deb.debian.org/debian"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const output = await new Response(debootstrap.stdout).text();
    if ((await debootstrap.exited) !== 0)
      throw new Error(`Cannot make a base image: ${output.split("\n").slice(-5).join("\n")}`);
    cpSync(process.execPath, join(folder, "usr/local/bin/bun"));
    rmSync(join(folder, "var/cache/apt"), { recursive: true });
    rmSync(join(folder, "var/lib/apt/lists"), { recursive: true });
    if (existsSync(`/${CERTIFICATES}`)) {
      mkdirSync(join(folder, "etc/ssl/certs"), { recursive: true });
      cpSync(`/${CERTIFICATES}`, join(folder, CERTIFICATES));
    }
    const container = await buildah("from", "scratch");
    await buildah("add", "--quiet", container, folder, "/");
    await buildah("config", `--env=NODE_EXTRA_CA_CERTS=/${CERTIFICATES}`, container);
    await buildah("commit", "--quiet", "--rm", "--format=docker", container, name);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
