/**
 * Decides when an alert of alerts.tf fires. Models Cloud Monitoring's threshold and absence conditions as far as our
 * alerts use them, so that a test can run each alert on sample values.
 */

export interface Alert {
  readonly title: string;
  readonly severity: string;
  readonly filter: string;
  readonly measure: 'mean' | 'count' | 'level' | 'ratio' | 'failed' | 'absent' | 'burn';
  readonly threshold?: number;
  /** For a ratio: the filter of the denominator. */
  readonly of?: string;
  /** For a burn rate: the share that must be good, and the highest burn rate by window, such as `3600s`. */
  readonly goal?: number;
  readonly rates?: Readonly<Record<string, number>>;
  /** Alignment period and retest window, such as `120s`. */
  readonly period: string;
  readonly for: string;
}

/** One sample: seconds since the start, the value, and for a ratio the denominator. */
export interface Point {
  readonly at: number;
  readonly value: number;
  readonly of?: number;
}

/** Whether the alert has fired by `until`, in seconds since the start. */
export function fires(alert: Alert, points: readonly Point[], until: number): boolean {
  if (alert.measure === 'burn') return burns(alert, points, until);
  const period = Number.parseInt(alert.period, 10);
  const retest = Number.parseInt(alert.for, 10);
  let broken = 0;
  for (let end = period; end <= until; end += period) {
    const window = points.filter(({ at }) => at > end - period && at <= end);
    broken = isBroken(alert, window) ? broken + period : 0;
    // The condition is met when every period in the retest window broke the limit.
    if (broken > 0 && broken >= retest) return true;
  }
  return false;
}

/** Whether the error budget burned too fast, evaluated every minute over each window. */
function burns({ goal = 1, rates = {} }: Alert, points: readonly Point[], until: number): boolean {
  return Object.entries(rates).some(([window, rate]) => {
    const lookback = Number.parseInt(window, 10);
    for (let end = 60; end <= until; end += 60) {
      const seen = points.filter(({ at }) => at > end - lookback && at <= end);
      if (seen.length > 0 && measured('ratio', seen) / (1 - goal) > rate) return true;
    }
    return false;
  });
}

function isBroken(alert: Alert, window: readonly Point[]): boolean {
  if (alert.measure === 'absent') return window.length === 0;
  if (window.length === 0 || alert.threshold === undefined || alert.measure === 'burn') return false;
  return measured(alert.measure, window) > alert.threshold;
}

function measured(measure: Exclude<Alert['measure'], 'absent' | 'burn'>, window: readonly Point[]): number {
  const sum = window.reduce((total, { value }) => total + value, 0);
  switch (measure) {
    case 'mean':
      return sum / window.length;
    case 'count':
      return sum;
    case 'level':
      return Math.max(...window.map(({ value }) => value));
    case 'failed':
      return window.filter(({ value }) => value === 0).length;
    case 'ratio':
      return (
        sum /
        Math.max(
          1,
          window.reduce((total, { of = 0 }) => total + of, 0),
        )
      );
    default:
      return measure satisfies never;
  }
}
