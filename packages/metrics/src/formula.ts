/** From the registry's terms to SQL and to the facts that a metric needs. Owns the reading of a term. */
import { type RawBuilder, sql } from 'kysely';

import { AREAS, type Fact, listFacts } from './facts.ts';
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

function termsOf(formula: Formula): readonly Term[] {
  return 'value' in formula ? formula.value : [...formula.numerator, ...formula.denominator];
}

/** The fact columns that the metric is made of. */
export function factsOf(metric: Metric): Fact[] {
  const columns = new Set(termsOf(metric.formula).map((term) => parseTerm(term).column));
  return listFacts().filter((fact) => columns.has(fact.column));
}

/** What follows from the facts of a metric, so that the registry need not say it. */
export function deriveMetric(metric: Metric) {
  const facts = factsOf(metric);
  const areas = Object.entries(AREAS).filter(([area]) => facts.some((fact) => fact.area === area));
  const [clock = 'mixed', otherClock] = new Set<string>(areas.map(([, area]) => area.clock));
  return {
    areas: areas.map(([area]) => area),
    sources: areas.flatMap(([, area]): readonly string[] => area.sources),
    /** Whose days it is about; mixed when ads and shops meet. */
    clock: otherClock === undefined ? clock : 'mixed',
    /** Fact groups whose amounts it converts: a rate missing there leaves it incomplete. */
    convertedGroups: [...new Set(facts.filter((fact) => fact.money).map((fact) => fact.group))],
  };
}

function toSql(terms: readonly Term[]): RawBuilder<unknown> {
  const parts = terms.map((term) => {
    const { factor, column } = parseTerm(term);
    return sql`${sql.lit(factor)} * f.${sql.ref(column)}`;
  });
  return sql.join(parts, sql` + `);
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
