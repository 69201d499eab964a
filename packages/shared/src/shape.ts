/**
 * Notices when a vendor's records gain or lose fields: counted while records are read, told once when it changes.
 */
import type { AnyStream } from './connector.ts';
import { PipelineError } from './errors.ts';

/** Fields nobody knows, and fields that should be there, each with the number of records. */
export interface ShapeReport {
  readonly unknown: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, number>>;
}

export interface ShapeTally {
  count(record: unknown): void;
  report(): ShapeReport;
}

/** A tally for one stream, or undefined when it declares no shape. */
export function createShapeTally({ shape }: AnyStream): ShapeTally | undefined {
  if (shape === undefined) return undefined;
  const known = new Set<string>([...shape.known, ...shape.always]);
  const unknown = new Map<string, number>();
  const missing = new Map<string, number>();
  const add = (counts: Map<string, number>, field: string) => counts.set(field, (counts.get(field) ?? 0) + 1);
  return {
    count(record) {
      const fields = new Set<string>(shape.fieldsOf(record));
      for (const field of fields) if (!known.has(field)) add(unknown, field);
      for (const field of shape.always) if (!fields.has(field)) add(missing, field);
    },
    report: () => ({ unknown: Object.fromEntries(unknown), missing: Object.fromEntries(missing) }),
  };
}

/** What is remembered of a report: `+field` for a new one, `-field` for a missing one, sorted. */
export function shapeNames({ unknown, missing }: ShapeReport): string[] {
  return [
    ...Object.keys(unknown).map((field) => `+${field}`),
    ...Object.keys(missing).map((field) => `-${field}`),
  ].sort();
}

/** The P2 error that tells a changed shape. */
export function shapeError(source: string, stream: string, report: ShapeReport): PipelineError {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([field, records]) => `${field} (${records} records)`)
      .join(', ');
  const parts = [
    ...(Object.keys(report.unknown).length > 0 ? [`new fields: ${list(report.unknown)}`] : []),
    ...(Object.keys(report.missing).length > 0 ? [`fields that are missing: ${list(report.missing)}`] : []),
  ];
  return new PipelineError({
    type: 'drift',
    severity: 'P2',
    message:
      parts.length === 0
        ? `The records of ${source} ${stream} have their known fields again`
        : `The records of ${source} ${stream} have changed: ${parts.join('; ')}`,
    advice:
      parts.length === 0
        ? 'Nothing to do.'
        : "Compare with the vendor's changelog: a missing field may need a new mapping, a new one may be worth loading. Told once until it changes again.",
    context: { ...report },
  });
}
