/** The demo's local vendors: their clock, and the environment of a command that is to read them. */
import type { Temporal } from 'temporal-polyfill';

import { startSandbox } from '@floyo/sandbox';

export interface DemoVendors extends AsyncDisposable {
  moveTo(instant: Temporal.Instant): void;
  /** As of where the clock stands: a command that took an earlier instant for now would miss the days since. */
  env(): Record<string, string>;
}

/** Starts them at an instant. @param more variables beside theirs. */
export async function startDemoVendors(
  instant: Temporal.Instant,
  more: Readonly<Record<string, string>>,
): Promise<DemoVendors> {
  const sandbox = await startSandbox({ now: instant.toString() });
  return {
    moveTo: (next) => sandbox.clock.set(next.toString()),
    env: () => ({ ...sandbox.env, ...more, FLOYO_NOW: sandbox.clock.now().toString() }),
    [Symbol.asyncDispose]: () => sandbox.close(),
  };
}

/** Lines for another terminal. */
export function formatExports(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${value}`)
    .join('\n');
}
