/** Writes the files that are made of the code: `.env.example`. Run by `pnpm generate`; a test tells when it is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repositoryRoot } from '@floyo/shared/paths';

import { envExample } from '../env-example.ts';

writeFileSync(join(repositoryRoot, '.env.example'), envExample());
