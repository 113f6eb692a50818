/**
 * Gives the time of the next poll, on the grid that the first one began.
 *
 * Slow answers make no drift that way, and a poll that was missed is not made up for.
 */
export function nextOnGrid(
  pollAt: number,
  { now, intervalMs }: { readonly now: number; readonly intervalMs: number },
): number {
  return pollAt + intervalMs * Math.max(1, Math.ceil((now - pollAt) / intervalMs));
}
