/** fast-check with the seed of RANDOM_INPUTS_SEED, if it is set: .ci/run checks a change with the same inputs each time. */
import fc from 'fast-check';

const seed = process.env['RANDOM_INPUTS_SEED'];
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

export { fc };
