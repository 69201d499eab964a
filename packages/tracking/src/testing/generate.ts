/** Writes docs/tracking-plan.md. Run by `pnpm generate`; a test tells when it is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { trackingPlanPage } from '../document.ts';

/** Where the page is. */
export const PAGE = join(import.meta.dirname, '../../../../docs/tracking-plan.md');

if (import.meta.main) writeFileSync(PAGE, trackingPlanPage());
