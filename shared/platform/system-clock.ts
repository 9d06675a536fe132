/** The machine's clock. It has its own module so that the domain cannot import it. Entry points pass it down. */
import { Temporal } from 'temporal-polyfill';
import type { Clock } from './clock.ts';

/** The current instant. */
export const systemClock: Clock = () => Temporal.Now.instant();
