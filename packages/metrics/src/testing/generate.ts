/** Writes the documents that are made of the registry. Run by `pnpm generate`; a test tells when one is stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { repositoryRoot } from '@floyo/shared/paths';

import { metricsPage, withTable } from '../documents.ts';

const README = 'packages/metrics/README.md';

/** The documents as they should be, by their path in the repository. */
export function metricDocuments(): Readonly<Record<string, string>> {
  return {
    [README]: withTable(readFileSync(join(repositoryRoot, README), 'utf8')),
    'docs/metrics.md': metricsPage(),
  };
}

if (import.meta.main)
  for (const [path, text] of Object.entries(metricDocuments())) {
    mkdirSync(dirname(join(repositoryRoot, path)), { recursive: true });
    writeFileSync(join(repositoryRoot, path), text);
  }
