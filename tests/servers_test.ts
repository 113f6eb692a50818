import { describe, expect, test } from "bun:test";
import { Servers, type Route } from "../lib/servers.ts";

async function allOf(servers: Servers): Promise<string[]> {
  const seen: string[] = [];
  for await (const { server, ip, isLast } of servers.routes())
    seen.push(`${server.name} ${ip}${isLast ? " last" : ""}`);
  return seen;
}

async function routeTo(servers: Servers, wanted: string): Promise<Route> {
  for await (const route of servers.routes()) if (route.ip === wanted) return route;
  throw new Error(`There is no route to ${wanted}`);
}

describe("Servers", () => {
  test("routes() yields servers in order, the last that worked first", async () => {
    const servers = new Servers({
      servers: [
        { host: "10.0.0.1", port: 1 },
        { host: "::1", port: 2 },
        { host: "10.0.0.3", port: 3 },
      ],
    });
    servers.prefer(await routeTo(servers, "::1"));
    expect(await allOf(servers)).toEqual([
      "[::1]:2 ::1 last",
      "10.0.0.1:1 10.0.0.1 last",
      "10.0.0.3:3 10.0.0.3 last",
    ]);
  });

  test("routes() yields every address of a name, the one that worked first", async () => {
    const servers = new Servers({
      servers: [{ host: "name", port: 1 }],
      lookup: async () => ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    });
    servers.prefer(await routeTo(servers, "10.0.0.2"));
    expect(await allOf(servers)).toEqual(["name:1 10.0.0.2", "name:1 10.0.0.1", "name:1 10.0.0.3 last"]);
  });

  test("routes() looks a name up again once its addresses have failed, and not before", async () => {
    let lookups = 0;
    const lookup = async () => [`10.0.0.${++lookups}`];
    const servers = new Servers({ servers: [{ host: "name", port: 1 }], lookup });
    const first = await routeTo(servers, "10.0.0.1");
    servers.prefer(first);
    expect((await routeTo(servers, "10.0.0.1")).ip).toBe("10.0.0.1");
    expect(await allOf(servers)).toEqual(["name:1 10.0.0.1 last"]);
    expect(await allOf(servers)).toEqual(["name:1 10.0.0.2 last"]);
  });

  test("routes() yields the name itself when it cannot be looked up", async () => {
    const servers = new Servers({
      servers: [{ host: "name", port: 1 }],
      lookup: () => Promise.reject(new Error("no such host")),
    });
    expect(await allOf(servers)).toEqual(["name:1 name last"]);
  });
});
