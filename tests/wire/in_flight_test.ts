import { describe, expect, test } from "bun:test";
import { InFlight } from "../../lib/wire/in_flight.ts";

describe("InFlight", () => {
  test("isFull at the limit of messages or of bytes, whichever is first", () => {
    const byMessages = new InFlight({ maxMessages: 2, maxBytes: 100 });
    const states = [byMessages.isFull];
    for (const bytes of [1, 1]) {
      byMessages.add(bytes);
      states.push(byMessages.isFull);
    }
    const byBytes = new InFlight({ maxMessages: 100, maxBytes: 10 });
    byBytes.add(10);
    expect([...states, byBytes.isFull]).toEqual([false, false, true, true]);
  });

  test("remove() calls those that wait once, when half of the room is free", () => {
    const inFlight = new InFlight({ maxMessages: 4 });
    for (let added = 0; added < 4; added++) inFlight.add(1);
    const called: string[] = [];
    inFlight.onceFree(() => called.push("first"));
    inFlight.onceFree(() => called.push("second"));
    inFlight.remove(1);
    expect(called).toEqual([]);
    inFlight.remove(1);
    expect(called).toEqual(["first", "second"]);
    inFlight.remove(1);
    expect(called).toEqual(["first", "second"]);
  });

  test("isFull while others wait, so that they are not passed by for ever", () => {
    const inFlight = new InFlight({ maxMessages: 4 });
    for (let added = 0; added < 4; added++) inFlight.add(1);
    const states: boolean[] = [];
    inFlight.onceFree(() => states.push(inFlight.isFull));
    inFlight.remove(1);
    states.push(inFlight.isFull);
    inFlight.remove(1);
    expect(states).toEqual([true, false]);
  });

  test("remove() calls the one first that has waited the longest, however often others wait anew", () => {
    const inFlight = new InFlight({ maxMessages: 2 });
    for (let added = 0; added < 2; added++) inFlight.add(1);
    const called: string[] = [];
    const wait = (name: string) => {
      const resume = () => {
        called.push(name);
        while (!inFlight.isFull) inFlight.add(1);
        inFlight.onceFree(resume);
      };
      inFlight.onceFree(resume);
    };
    for (const name of ["a", "b", "c"]) wait(name);
    for (let removed = 0; removed < 6; removed++) inFlight.remove(1);
    expect(called).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  test("keep() lets go whoever keeps the most, not whoever adds", () => {
    const inFlight = new InFlight({ maxKeptBytes: 100 });
    const gone: string[] = [];
    const keeper = (name: string) => {
      const self = { letGo: () => (gone.push(name), inFlight.keep(self, 0)) };
      return self;
    };
    const [small, large, other] = [keeper("small"), keeper("large"), keeper("other")];
    inFlight.keep(large, 60);
    inFlight.keep(small, 40);
    expect(gone).toEqual([]);
    inFlight.keep(small, 41);
    inFlight.keep(other, 59);
    inFlight.keep(other, 10);
    inFlight.keep(small, 60);
    expect(gone).toEqual(["large"]);
    inFlight.keep(other, 101);
    expect(gone).toEqual(["large", "other"]);
  });

  test("remove() leaves those alone that wait anew because they found it full again", () => {
    const inFlight = new InFlight({ maxMessages: 1 });
    inFlight.add(1);
    let calls = 0;
    const wait = () => {
      calls++;
      inFlight.add(1);
      inFlight.onceFree(wait);
    };
    inFlight.onceFree(wait);
    inFlight.remove(1);
    expect(calls).toBe(1);
  });
});
