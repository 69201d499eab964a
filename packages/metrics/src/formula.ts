/** From the registry's terms to SQL and to the facts that a metric needs. Owns the reading of a term. */
import { type RawBuilder, sql } from 'kysely';

import { type Fact, listFacts } from './facts.ts';
import { type Area, AREAS } from './facts/define.ts';
import type { Formula, Metric, Side, Term } from './registry/define.ts';

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

const termsOf = (side: Side): readonly Term[] => ('times' in side ? [...side.times, ...side.per] : side);

/** The fact columns that the metric is made of. */
export function factsOf({ formula }: Pick<Metric, 'formula'>): Fact[] {
  return factsOfTerms(
    'value' in formula ? formula.value : [...termsOf(formula.numerator), ...termsOf(formula.denominator)],
  );
}

/** An area whose days from `back` days before the metric's own to `within` days after it must have been read. */
export interface NeededArea {
  readonly area: Area;
  readonly within: number;
  readonly back: number;
  /** It is in the numerator (or the value), in the denominator. */
  readonly left: boolean;
  readonly right: boolean;
}

/** What follows from the facts of a metric, so that the registry need not say it. */
export function deriveMetric(metric: Metric) {
  const { formula } = metric;
  const left = factsOfTerms('value' in formula ? formula.value : termsOf(formula.numerator));
  const right = 'value' in formula ? [] : factsOfTerms(termsOf(formula.denominator));
  const facts = factsOf(metric);
  const areas = Object.entries(AREAS).filter(([area]) => facts.some((fact) => fact.area === area));
  const [clock = 'mixed', otherClock] = new Set<string>(areas.map(([, area]) => area.clock));
  const ahead = (of: readonly Fact[]) => Math.max(0, ...of.map((fact) => fact.withinDays));
  const back = (of: readonly Fact[]) => Math.max(0, ...of.map((fact) => fact.backDays));
  return {
    areas: (Object.keys(AREAS) as Area[]).flatMap((area): NeededArea[] => {
      const own = facts.filter((fact) => fact.area === area);
      const inside = (side: readonly Fact[]) => side.some((fact) => fact.area === area);
      return own.length === 0
        ? []
        : [{ area, within: ahead(own), back: back(own), left: inside(left), right: inside(right) }];
    }),
    groups: [...new Set(facts.map((fact) => fact.group))],
    sources: areas.flatMap(([, area]): readonly string[] => area.sources),
    /** Whose days it is about; mixed when ads and shops meet. */
    clock: otherClock === undefined ? clock : 'mixed',
    /** How many days after its own day it looks. */
    withinDays: ahead(facts),
    /** How many days before its own day it looks. */
    backDays: back(facts),
    /**
     * Fact groups whose amounts it converts, and how far ahead or back: a rate missing there leaves it incomplete, and
     * where it converts nothing (counted) a missing price does.
     */
    converted: [
      ...Map.groupBy(
        facts.filter((fact) => fact.money || fact.unpriced),
        (fact) => fact.group,
      ),
    ].map(([group, own]) => ({
      facts: group,
      reach: Math.max(ahead(own), back(own)),
      counted: !own.some((fact) => fact.money),
    })),
  };
}

function toSql(side: Side): RawBuilder<unknown> {
  const parts = (terms: readonly Term[]) =>
    terms.map((term) => {
      const { factor, column } = parseTerm(term);
      return sql`${sql.lit(factor)} * f.${sql.ref(column)}`;
    });
  if ('times' in side)
    return sql`(${sql.join(parts(side.times), sql` * `)}) / nullif(${sql.join(parts(side.per), sql` * `)}, 0)`;
  return sql.join(parts(side), sql` + `);
}

/** The formula as people write it, e.g. `(gross_sales - discounts) / orders`. */
export function describeFormula(formula: Formula): string {
  const sum = (terms: readonly Term[]) =>
    terms
      .map((term, index) => {
        const { factor, column } = parseTerm(term);
        const amount = Math.abs(factor) === 1 ? column : `${Math.abs(factor)} × ${column}`;
        if (index === 0) return factor < 0 ? `−${amount}` : amount;
        return `${factor < 0 ? '−' : '+'} ${amount}`;
      })
      .join(' ');
  if ('value' in formula) return sum(formula.value);
  const product = (terms: readonly Term[]) => terms.map((term) => sum([term])).join(' × ');
  const group = (side: Side) => {
    if ('times' in side)
      return `(${product(side.times)} / ${side.per.length > 1 ? `(${product(side.per)})` : product(side.per)})`;
    return side.length > 1 ? `(${sum(side)})` : sum(side);
  };
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
