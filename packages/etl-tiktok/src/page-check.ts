/** Tells whether the numbered pages of one report fit together: same total on each, no row twice, none missing. */
export interface ReportPage {
  /** The number asked for, from 1. */
  readonly page: number;
  readonly info: { readonly page: number; readonly total_page: number; readonly total_number: number };
  readonly rows: number;
  readonly keys: readonly { readonly externalId: string; readonly date?: string }[];
}

export interface PageCheck {
  /** What is wrong with the page, undefined when nothing is. */
  add(page: ReportPage): string | undefined;
  /** What is wrong once all pages are in. */
  finish(): string | undefined;
}

export function createPageCheck(): PageCheck {
  /** The days of a month as bits, by ad and month: memory goes by ads and not by rows. */
  const seen = new Map<string, number>();
  let total: number | undefined;
  let rows = 0;

  function isRepeated(externalId: string, date: string): boolean {
    const key = `${externalId} ${date.slice(0, 7)}`;
    const bit = 1 << (Number(date.slice(8)) - 1);
    const days = seen.get(key) ?? 0;
    seen.set(key, days | bit);
    return (days & bit) !== 0;
  }

  return {
    add({ page, info, rows: pageRows, keys }) {
      if (info.page !== page) return `page ${info.page} came instead of page ${page}`;
      total ??= info.total_number;
      if (info.total_number !== total) return `the number of rows went from ${total} to ${info.total_number}`;
      rows += pageRows;
      const twice = keys.find(({ externalId, date }) => date !== undefined && isRepeated(externalId, date));
      return twice === undefined ? undefined : `${twice.externalId} of ${twice.date} came twice`;
    },
    finish: () => (rows === (total ?? 0) ? undefined : `${rows} rows came of ${total}`),
  };
}
