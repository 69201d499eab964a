/** Values of metrics as people read them: rounded by their unit, and a row of bars for how they went. */
const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const CENTS = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const PERCENT = new Intl.NumberFormat('en-US', {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 2,
});

/** `value` is a decimal text; a unit that is none of count, fraction and ratio is a currency. */
export function formatMetric(value: string | null, unit: string): string {
  if (value === null) return '–';
  const number = Number(value);
  if (unit === 'count') return (Number.isInteger(number) ? WHOLE : CENTS).format(number);
  if (unit === 'fraction') return PERCENT.format(number);
  return CENTS.format(number);
}

/** Behind a value that is not final: it may still change, or days of it were not read. */
const MARKS = { final: '', provisional: ' ~', incomplete: ' …' } as const;

/** What the marks say. */
export const LEGEND = '~ provisional, … incomplete, – no value';

/** A value with the mark of its status. */
export function formatMarked(value: string | null, unit: string, status: keyof typeof MARKS): string {
  return `${formatMetric(value, unit)}${MARKS[status]}`;
}

/** A decimal text with at most six decimals, cut and not rounded. */
export function shortDecimal(text: string): string {
  return text
    .replace(/(\.\d{6})\d+$/, '$1')
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

/** One bar a value, from the least to the greatest; a space where there is none. */
export function sparkline(values: readonly (string | null)[]): string {
  const numbers = values.map((value) => (value === null ? null : Number(value)));
  const known = numbers.filter((number) => number !== null);
  const least = Math.min(...known);
  const span = Math.max(...known) - least;
  return numbers
    .map((number) => {
      if (number === null) return ' ';
      const height = span === 0 ? 3 : Math.round(((number - least) / span) * (BARS.length - 1));
      return BARS[height] ?? ' ';
    })
    .join('');
}
