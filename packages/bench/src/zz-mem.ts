import { spawn } from 'node:child_process';
import { startBench } from './bench-server.ts';
await using bench = await startBench({ say: () => undefined, env: {} });
for (const flags of [
  [],
  ['--max-semi-space-size=1'],
  ['--max-semi-space-size=2'],
  ['--semi-space-growth-factor=1'],
  ['--max-semi-space-size=2', '--heap-growing-percent=40'],
])
  for (const rows of ['10000', '300000']) {
    await using db = await bench.createDatabase();
    const t = performance.now();
    const c = spawn(process.execPath, [...flags, 'packages/bench/src/memory/main.ts', db.url, rows!], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    c.stdout.setEncoding('utf8').on('data', (t) => (out += t));
    await new Promise((r) => c.on('close', r));
    console.log(flags, out.slice(-3500), Math.round(performance.now() - t));
  }
