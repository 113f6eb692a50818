import { setDefaultTimeout } from "bun:test";

/** Longest time of one test, on a machine that is busy with other things. */
const TEST_TIMEOUT_MS = 60_000;

setDefaultTimeout(TEST_TIMEOUT_MS);
