import { describe, expect, test } from "bun:test";
import { Admission } from "../../lib/wire/admission.ts";

describe("Admission", () => {
  test("enter() admits up to the limit of one address, and others beside it", () => {
    const admission = new Admission<string>({ maxConnections: 100, maxConnectionsPerIp: 2 });
    const from = (name: string, ip: string) => admission.enter(name, ip);
    expect([
      from("a", "10.0.0.1"),
      from("b", "10.0.0.1"),
      from("c", "10.0.0.1"),
      from("d", "10.0.0.2"),
    ]).toEqual([undefined, undefined, "max-connections-per-ip", undefined]);
    admission.leave("c"); // which was not admitted
    expect(from("e", "10.0.0.1")).toBe("max-connections-per-ip");
    admission.leave("a");
    expect(from("f", "10.0.0.1")).toBeUndefined();
  });

  test("enter() admits up to the limit of all", () => {
    const admission = new Admission<string>({ maxConnections: 2, maxConnectionsPerIp: 2 });
    expect([
      admission.enter("a", "10.0.0.1"),
      admission.enter("b"),
      admission.enter("c", "10.0.0.3"),
    ]).toEqual([undefined, undefined, "max-connections"]);
    admission.leave("b");
    expect(admission.enter("d", "10.0.0.3")).toBeUndefined();
  });

  test("enter() counts a connection once that was counted before its address was known", () => {
    const admission = new Admission<string>({ maxConnections: 1, maxConnectionsPerIp: 1 });
    expect([admission.enter("a"), admission.enter("a", "10.0.0.1")]).toEqual([undefined, undefined]);
    expect(admission.enter("b", "10.0.0.1")).toBe("max-connections");
    admission.leave("a");
    expect([admission.enter("c"), admission.enter("c", "10.0.0.1")]).toEqual([undefined, undefined]);
  });

  test("enter() counts a connection once that enters twice from the same address", () => {
    const admission = new Admission<string>({ maxConnections: 2, maxConnectionsPerIp: 1 });
    expect([admission.enter("a", "1.1.1.1"), admission.enter("a", "1.1.1.1")]).toEqual([
      undefined,
      undefined,
    ]);
    expect(admission.enter("b", "1.1.1.1")).toBe("max-connections-per-ip");
    admission.leave("a");
    expect(admission.enter("c", "1.1.1.1")).toBeUndefined();
  });

  test("enter() counts the IPv6 addresses of one /64 as one, and each IPv4 address as one", () => {
    const admission = new Admission<number>({ maxConnections: 100, maxConnectionsPerIp: 1 });
    const ips = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "::1", "10.0.0.1", "10.0.0.2"];
    const limits = ips.map((ip, index) => admission.enter(index, ip));
    expect(limits.map((limit) => limit === undefined)).toEqual([true, false, true, true, true, true]);
  });

  test("takeSurplus() gives the oldest of too many that were refused", () => {
    const admission = new Admission<string>({ maxConnections: 1, maxConnectionsPerIp: 1, maxRefused: 2 });
    for (const name of ["a", "b", "c"]) admission.enter(name, "10.0.0.1");
    expect(admission.takeSurplus()).toBeUndefined();
    admission.enter("d", "10.0.0.1");
    expect([admission.takeSurplus(), admission.takeSurplus()]).toEqual(["b", undefined]);
    admission.leave("c");
    admission.enter("e", "10.0.0.1");
    expect(admission.takeSurplus()).toBeUndefined();
  });
});
