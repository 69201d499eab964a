/** What holds the house up: which package may know which, the shape of every package, and documents that agree with the code. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { repositoryRoot } from '@floyo/shared/paths';

const packages = readdirSync(join(repositoryRoot, 'packages'));

/** Which of our packages each may import; siblings meet in the database schema, never in code. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  // It measures: it may know everything.
  bench: [
    'billing-webhook',
    'etl-meta',
    'etl-posthog',
    'etl-shopify',
    'etl-tiktok',
    'metrics',
    'pipeline',
    'sandbox',
    'shared',
  ],
  'billing-webhook': ['shared'],
  'etl-meta': ['shared'],
  'etl-posthog': ['shared'],
  'etl-shopify': ['shared'],
  'etl-tiktok': ['shared'],
  metrics: ['shared'],
  sandbox: ['shared'],
  // The product uses it too: it knows nothing of the pipeline.
  tracking: [],
  pipeline: [
    'billing-webhook',
    'etl-meta',
    'etl-posthog',
    'etl-shopify',
    'etl-tiktok',
    'metrics',
    'sandbox',
    'shared',
  ],
};

/** Vendors are spoken to in tests through the sandbox. */
const TESTS_MAY_ALSO_IMPORT = ['sandbox'];

function read(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}

function importsOf(path: string): string[] {
  return [...read(path).matchAll(/(?:from|import) '([^']+)'/g)].map((match) => match[1] ?? '');
}

describe.each(packages)('packages/%s', (name) => {
  const sources = globSync(`packages/${name}/src/**/*.ts`, { cwd: repositoryRoot });

  it('imports only the packages that it may know', () => {
    for (const source of sources) {
      const isTest = source.endsWith('.test.ts') || source.includes('/testing');
      const allowed = [...(MAY_IMPORT[name] ?? []), ...(isTest ? TESTS_MAY_ALSO_IMPORT : []), name];
      const ours = importsOf(source).flatMap((text) => /^@floyo\/([\w-]+)/.exec(text)?.[1] ?? []);
      expect(
        ours.filter((other) => !allowed.includes(other)),
        source,
      ).toEqual([]);
      const escapes = importsOf(source).filter((text) => text.startsWith('../../..'));
      expect(escapes, `${source} reaches into another folder`).toEqual([]);
    }
  });

  it('has a description, a README of at most 80 lines (the generated table apart), and sources', () => {
    const manifest = JSON.parse(read(`packages/${name}/package.json`)) as {
      name: string;
      description: string;
    };
    expect(manifest.name).toBe(`@floyo/${name}`);
    expect(manifest.description).not.toBe('');
    const readme = read(`packages/${name}/README.md`).replace(/<!-- metrics -->.*<!-- \/metrics -->/s, '');
    expect(readme.split('\n').length).toBeLessThanOrEqual(81);
    expect(sources.length).toBeGreaterThan(0);
  });

  it('says in every file what it owns', () => {
    for (const source of sources.filter((path) => !path.endsWith('.test.ts')))
      expect(read(source), source).toMatch(/^(\/\*\*|\/\/)/);
  });

  it('pins its dependencies', () => {
    const manifest = JSON.parse(read(`packages/${name}/package.json`)) as Record<
      string,
      Record<string, string>
    >;
    for (const group of ['dependencies', 'devDependencies', 'optionalDependencies'])
      for (const [dependency, version] of Object.entries(manifest[group] ?? {}))
        expect(version, dependency).toMatch(/^(workspace:\*|\d+\.\d+\.\d+(-[\w.]+)?)$/);
  });
});

describe('connectors', () => {
  it.each(packages.filter((name) => name.startsWith('etl-')))(
    '%s has the doors of every connector',
    (name) => {
      const files = ['src/index.ts', 'src/config.ts', 'src/client.ts', 'src/streams'];
      for (const file of files)
        expect(existsSync(join(repositoryRoot, 'packages', name, file)), file).toBe(true);
      const manifest = JSON.parse(read(`packages/${name}/package.json`)) as { scripts: { start: string } };
      expect(manifest.scripts.start).toBe(`node ../pipeline/src/main.ts etl ${name.replace('etl-', '')}`);
    },
  );
});

it('only main.ts files and tests touch the process', () => {
  const sources = globSync('packages/*/src/**/*.ts', { cwd: repositoryRoot }).filter(
    // A program that is started as another user gets a PATH of its own.
    (path) => !/(\/main\.ts|\.test\.ts|\/testing[./]|embedded\/account\.ts)/.test(path),
  );
  for (const source of sources)
    expect(read(source), source).not.toMatch(/\bprocess\.(env|exit|argv|on|stdout|stderr)\b/);
});

it('speaks of itself alone', () => {
  const files = globSync(['**/*.{ts,md,sql,yml,yaml,json,js}', '.ci/run', '.env.example'], {
    cwd: repositoryRoot,
    exclude: (path) => /node_modules|\.floyo|\.git$/.test(path),
  });
  for (const file of files)
    expect(read(file), file).not.toMatch(/\/work\/(main|shared)|\/root\/|registry\.npmjs|\.\.\/\.library/);
});
