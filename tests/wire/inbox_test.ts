import { expect, test } from "bun:test";
import { Inbox } from "../../lib/wire/inbox.ts";
import { NetstringError } from "../../lib/wire/netstring.ts";

function take(inbox: Inbox): string[] {
  const texts: string[] = [];
  for (let payload = inbox.next(); payload; payload = inbox.next())
    texts.push(Buffer.from(payload).toString());
  return texts;
}

test("Inbox gives whole messages in order, late too, and tells what it keeps", () => {
  const inbox = new Inbox({ maxPayloadBytes: 100 });
  expect({ isEmpty: inbox.isEmpty, keptBytes: inbox.keptBytes, taken: take(inbox) }).toEqual({
    isEmpty: true,
    keptBytes: 0,
    taken: [],
  });
  for (const piece of ["1:a,1:b", ",0:,", "3:cde,5:he"]) inbox.add(Buffer.from(piece));
  expect({ isEmpty: inbox.isEmpty, keptBytes: inbox.keptBytes }).toEqual({ isEmpty: false, keptBytes: 21 });
  expect(take(inbox)).toEqual(["a", "b", "", "cde"]);
  expect({ isEmpty: inbox.isEmpty, isPartial: inbox.isPartial }).toEqual({ isEmpty: false, isPartial: true });
  expect(inbox.keptBytes).toBeGreaterThan(0);
  inbox.add(Buffer.from("llo,"));
  expect(take(inbox)).toEqual(["hello"]);
  expect({ isEmpty: inbox.isEmpty, keptBytes: inbox.keptBytes }).toEqual({ isEmpty: true, keptBytes: 0 });
});

test("Inbox forgets what it is told to, and refuses what cannot be read", () => {
  const inbox = new Inbox({ maxPayloadBytes: 100 });
  inbox.add(Buffer.from("1:a,x"));
  expect(Buffer.from(inbox.next() ?? "").toString()).toBe("a");
  expect(() => inbox.next()).toThrow(NetstringError);
  inbox.clear();
  inbox.add(Buffer.from("1:b,"));
  expect(take(inbox)).toEqual(["b"]);
});
