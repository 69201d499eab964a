/** `floyo etl <source>`: one source, then metrics. */
import { alertUnlessStarted } from '../alert.ts';
import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { pickSources } from '../sources.ts';

export async function etlCommand(
  app: App,
  source: string,
  options: { readonly wait: number },
): Promise<number> {
  return alertUnlessStarted(app, 'source', async () => {
    const sources = pickSources(app.settings, [source], '<source>');
    await using database = await openAppDatabase(app);
    return await runAndReport(app, database, {
      kind: 'source',
      sources,
      work: { kind: 'scheduled' },
      waitMs: options.wait,
      skipWhenBusy: false,
    });
  });
}
