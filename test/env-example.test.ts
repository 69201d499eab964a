/** `.env.example` names exactly the variables that the configuration reads, with their descriptions, and no value. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { envExample } from '@floyo/pipeline/env-example';
import { repositoryRoot } from '@floyo/shared/paths';

it('is what the configuration sections say', () => {
  expect(readFileSync(join(repositoryRoot, '.env.example'), 'utf8')).toBe(envExample());
});
