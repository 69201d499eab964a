/** How long the connector waits for what. An argument everywhere, so that tests wait less. */

export interface Timings {
  /** A synchronous call without an answer by then is given up; Meta itself does so after about a minute. */
  readonly callTimeoutMs: number;
  /** The share of a limit (percent) from which calls are spaced out. */
  readonly paceFromPercent: number;
  /** The pause before a call at that share; it grows evenly to the one at 100 %. */
  readonly paceLeastMs: number;
  readonly paceMostMs: number;
  /** The app's limit tells no time: so long after the first refusal, after the second, … */
  readonly appWaitsMs: readonly number[];
  /** A report is looked at after this, and then ever later. */
  readonly pollFirstMs: number;
  readonly pollMostMs: number;
  /** A report that can't be found by then after it was started is lost. */
  readonly reportAppearsMs: number;
  /** A report that is not complete by then is given up: what it was asked for is asked for in parts. */
  readonly reportLimitMs: number;
  /** Results of a complete report that can't be had yet: the pauses before they are asked for again. */
  readonly notReadyWaitsMs: readonly number[];
}

export const TIMINGS: Timings = {
  callTimeoutMs: 60_000,
  paceFromPercent: 75,
  paceLeastMs: 1_000,
  paceMostMs: 60_000,
  appWaitsMs: [60_000, 150_000, 300_000],
  pollFirstMs: 1_000,
  pollMostMs: 30_000,
  reportAppearsMs: 60_000,
  // Some reports take an hour; their parts take less, and a stuck one would hold up the run.
  reportLimitMs: 600_000,
  notReadyWaitsMs: [5_000, 15_000, 30_000, 60_000],
};
