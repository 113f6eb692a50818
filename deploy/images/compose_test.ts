/** Checks docker-compose.yml as docker-compose itself reads it. */
import { beforeAll, describe, expect, test } from "bun:test";
import { clientFlags } from "../../lib/settings/client.ts";
import { serverFlags } from "../../lib/settings/server.ts";
import { statsFlags } from "../../lib/settings/stats.ts";
import { ROOT } from "../../tests/support/program.ts";
import { variablesOf } from "../../tests/support/variables.ts";

interface Service {
  readonly image: string;
  readonly build?: { readonly target?: string };
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const OURS = ["client", "server-1", "server-2", "stats"];

async function readCompose(...profiles: readonly string[]): Promise<Compose> {
  const flags = profiles.map((profile) => `--profile=${profile}`);
  const child = Bun.spawn(["docker-compose", ...flags, "config"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return Bun.YAML.parse(stdout) as Compose;
}

describe("docker-compose.yml", () => {
  let services: Compose["services"];
  let volumes: Compose["volumes"];
  beforeAll(async () => ({ services, volumes } = await readCompose("local-chain", "test")));

  test("is accepted with each set of profiles", async () => {
    for (const profiles of [[], ["local-chain"], ["test"], ["local-chain", "test"]])
      expect(Object.keys((await readCompose(...profiles)).services).length).toBeGreaterThan(5);
  });

  test("has the services of the system", () => {
    expect(Object.keys(services).toSorted()).toEqual([...OURS, "anvil", "mysql", "redis", "test"].toSorted());
  });

  test("publishes the port of stats alone, on loopback alone", () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    );
    expect(published).toEqual(["stats 127.0.0.1:5000:5000/tcp"]);
  });

  test("runs what is ours without rights and with a file system that cannot be written", () => {
    for (const name of OURS) expect(services[name]).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  });

  test("waits until what a service needs is healthy", () => {
    const waits = OURS.map((name) => [name, services[name]?.depends_on] as const);
    const healthy = { condition: "service_healthy" };
    expect(Object.fromEntries(waits)).toEqual({
      client: { "server-1": healthy, "server-2": healthy },
      "server-1": { mysql: healthy, redis: healthy },
      "server-2": { mysql: healthy, redis: healthy },
      stats: { mysql: healthy, redis: healthy },
    });
  });

  test("asks MySQL over TCP whether it is there", () => {
    expect(services["mysql"]?.healthcheck?.test).toContain("--protocol=tcp");
  });

  test("has no secret in the environment, only files that hold one", () => {
    const variables = Object.values(services).flatMap(({ environment = {} }) => Object.entries(environment));
    const secrets = variables.filter(([name]) => /PASS|AUTH|SECRET/.test(name));
    expect(secrets.length).toBeGreaterThan(5);
    for (const [name, value] of secrets) {
      expect(name).toEndWith("_FILE");
      expect(value).toMatch(/^\/run\/(mysql|redis)-secrets\/\w+$/);
    }
  });

  test("sets no variable that its program does not read", () => {
    const flags = { client: clientFlags, server: serverFlags, stats: statsFlags };
    for (const name of OURS) {
      const [entry = ""] = name.split("-");
      const known = variablesOf(entry, flags[entry as keyof typeof flags]);
      const set = Object.keys(services[name]?.environment ?? {});
      expect(set.length).toBeGreaterThan(2);
      expect(set.filter((variable) => !known.has(variable))).toEqual([]);
    }
  });

  test("keeps data in named volumes", () => {
    const sources = Object.values(services).flatMap(({ volumes: mounted = [] }) =>
      mounted.map((mount) => mount.split(":")[0] ?? ""),
    );
    expect([...new Set(sources)].toSorted()).toEqual(Object.keys(volumes).toSorted());
  });
});
