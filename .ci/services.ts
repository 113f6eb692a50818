/** Installs the programs that the tests run against where they are missing: bun .ci/services.ts */

interface Service {
  /** Any of these shows that it is there. */
  readonly binaries: readonly string[];
  readonly apt: string;
  /** Absent for what is used on Linux only. */
  readonly brew?: string;
}

const SERVICES: readonly Service[] = [
  { binaries: ["mariadbd", "mysqld"], apt: "mariadb-server", brew: "mariadb" },
  { binaries: ["redis-server"], apt: "redis-server", brew: "redis" },
  { binaries: ["openssl"], apt: "openssl", brew: "openssl" },
  { binaries: ["haproxy"], apt: "haproxy", brew: "haproxy" },
  { binaries: ["chromium", "chromium-browser", "google-chrome"], apt: "chromium", brew: "chromium" },
  // What builds and runs the images without an engine.
  { binaries: ["buildah"], apt: "buildah" },
  { binaries: ["debootstrap"], apt: "debootstrap" },
  { binaries: ["docker-compose"], apt: "docker-compose" },
];

// Debian keeps servers out of the path of ordinary users.
const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;

const missing = SERVICES.filter(
  ({ binaries, brew }) =>
    (brew || process.platform === "linux") && !binaries.some((name) => Bun.which(name, { PATH })),
);

if (missing.length > 0) {
  const wanted = missing.map(({ binaries }) => binaries[0]).join(", ");
  const sudo = process.getuid?.() === 0 ? [] : ["sudo"];
  if (Bun.which("apt-get")) {
    console.log(`Installing ${wanted} with apt-get`);
    run([...sudo, "apt-get", "update", "-qq"]);
    run([
      ...sudo,
      "apt-get",
      "install",
      "-y",
      "-qq",
      "--no-install-recommends",
      ...missing.map(({ apt }) => apt),
    ]);
  } else if (Bun.which("brew")) {
    console.log(`Installing ${wanted} with Homebrew`);
    run(["brew", "install", ...missing.flatMap(({ brew }) => brew ?? [])]);
  } else {
    console.error(
      `Cannot install ${wanted} as there is neither apt-get nor brew: install them by hand and try again`,
    );
    process.exit(1);
  }
}

function run(command: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { exitCode } = Bun.spawnSync(command, { env, stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode === 0) return;
  console.error(
    `Cannot install what the tests need as "${command.join(" ")}" failed with status ${exitCode}`,
  );
  process.exit(1);
}
