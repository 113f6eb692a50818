/** Loaded before a server, it makes the clock jump back and forth by hours, as a machine does whose time is set. */

const HOUR_MS = 3_600_000;
const JUMP_EVERY_MS = 300;
const JUMPS_HOURS = [0, 12, -12, 0.5, -48, 48];

const tell = Date.now.bind(Date);
const startedAt = performance.now();
Date.now = () => {
  const turn = Math.floor((performance.now() - startedAt) / JUMP_EVERY_MS);
  return tell() + (JUMPS_HOURS[turn % JUMPS_HOURS.length] ?? 0) * HOUR_MS;
};
