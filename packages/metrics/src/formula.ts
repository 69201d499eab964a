/** From the registry's terms to SQL and to the facts that a metric needs. Owns the reading of a term. */
import { type RawBuilder, sql } from 'kysely';

import { type Area, AREAS, type Fact, listFacts } from './facts.ts';
import type { Formula, Metric, Term } from './registry.ts';

interface ParsedTerm {
  readonly factor: number;
  readonly column: string;
}

function parseTerm(term: Term): ParsedTerm {
  if (term.startsWith('-')) return { factor: -1, column: term.slice(1) };
  const [factor, column] = term.split('*');
  return column === undefined ? { factor: 1, column: term } : { factor: Number(factor), column };
}

function factsOfTerms(terms: readonly Term[]): Fact[] {
  const columns = new Set(terms.map((term) => parseTerm(term).column));
  return listFacts().filter((fact) => columns.has(fact.column));
}

/** The fact columns that the metric is made of. */
export function factsOf({ formula }: Pick<Metric, 'formula'>): Fact[] {
  return factsOfTerms('value' in formula ? formula.value : [...formula.numerator, ...formula.denominator]);
}

/** An area whose days from the metric's own to `within` days after it must have been read. */
export interface NeededArea {
  readonly area: Area;
  readonly within: number;
  /** It is in the numerator (or the value), in the denominator. */
  readonly left: boolean;
  readonly right: boolean;
}

/** What follows from the facts of a metric, so that the registry need not say it. */
export function deriveMetric(metric: Metric) {
  const { formula } = metric;
  const left = factsOfTerms('value' in formula ? formula.value : formula.numerator);
  const right = 'value' in formula ? [] : factsOfTerms(formula.denominator);
  const facts = factsOf(metric);
  const areas = Object.entries(AREAS).filter(([area]) => facts.some((fact) => fact.area === area));
  const [clock = 'mixed', otherClock] = new Set<string>(areas.map(([, area]) => area.clock));
  const farthest = (of: readonly Fact[]) => Math.max(0, ...of.map((fact) => fact.withinDays));
  return {
    areas: (Object.keys(AREAS) as Area[]).flatMap((area): NeededArea[] => {
      const own = facts.filter((fact) => fact.area === area);
      const inside = (side: readonly Fact[]) => side.some((fact) => fact.area === area);
      return own.length === 0
        ? []
        : [{ area, within: farthest(own), left: inside(left), right: inside(right) }];
    }),
    groups: [...new Set(facts.map((fact) => fact.group))],
    sources: areas.flatMap(([, area]): readonly string[] => area.sources),
    /** Whose days it is about; mixed when ads and shops meet. */
    clock: otherClock === undefined ? clock : 'mixed',
    /** How many days after its own day it looks. */
    withinDays: farthest(facts),
    /** Fact groups whose amounts it converts, and how far ahead: a rate missing there leaves it incomplete. */
    converted: [
      ...Map.groupBy(
        facts.filter((fact) => fact.money),
        (fact) => fact.group,
      ),
    ].map(([group, own]) => ({ facts: group, within: farthest(own) })),
  };
}

function toSql(terms: readonly Term[]): RawBuilder<unknown> {
  const parts = terms.map((term) => {
    const { factor, column } = parseTerm(term);
    return sql`${sql.lit(factor)} * f.${sql.ref(column)}`;
  });
  return sql.join(parts, sql` + `);
}

/** The formula as people write it, e.g. `(gross_sales - discounts) / orders`. */
export function describeFormula(formula: Formula): string {
  const side = (terms: readonly Term[]) =>
    terms
      .map((term, index) => {
        const { factor, column } = parseTerm(term);
        const amount = Math.abs(factor) === 1 ? column : `${Math.abs(factor)} × ${column}`;
        if (index === 0) return factor < 0 ? `−${amount}` : amount;
        return `${factor < 0 ? '−' : '+'} ${amount}`;
      })
      .join(' ');
  if ('value' in formula) return side(formula.value);
  const group = (terms: readonly Term[]) => (terms.length > 1 ? `(${side(terms)})` : side(terms));
  return `${group(formula.numerator)} / ${group(formula.denominator)}`;
}

const NONE = sql`null::numeric`;

/** Value, numerator and denominator over a row `f` of facts. A zero denominator gives a null value. */
export function formulaToSql(
  formula: Formula,
): Record<'value' | 'numerator' | 'denominator', RawBuilder<unknown>> {
  if ('value' in formula) return { value: toSql(formula.value), numerator: NONE, denominator: NONE };
  const numerator = toSql(formula.numerator);
  const denominator = toSql(formula.denominator);
  return { value: sql`(${numerator}) / nullif(${denominator}, 0)`, numerator, denominator };
}
