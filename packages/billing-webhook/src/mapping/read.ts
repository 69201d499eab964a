/** Reads fields of Stripe's JSON, of which nothing is certain: each reader says what is wrong and where. */

/** The JSON of a known object is not as any API version has it: ours to fix, so the event is kept as failed. */
export class MappingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MappingError';
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** Whether it is a JSON object (no array, not null). */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at a field; undefined when it is null, absent or something else. */
export function objectAt(from: Fields, name: string): Fields | undefined {
  const value = from[name];
  return isFields(value) ? value : undefined;
}

/** The text at a field; null when it is null or absent. Throws for any other type. */
export function textAt(from: Fields, name: string): string | null {
  const value = from[name];
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') throw wrong(from, name, 'a text', value);
  return value;
}

/** The text at a field that every version has. */
export function requiredText(from: Fields, name: string): string {
  const text = textAt(from, name);
  if (text === null || text === '') throw wrong(from, name, 'a text', text);
  return text;
}

/** The whole number at a field; null when it is null or absent. */
export function integerAt(from: Fields, name: string): number | null {
  const value = from[name];
  if (value === null || value === undefined) return null;
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw wrong(from, name, 'a whole number', value);
  return value;
}

/** The whole number at a field that every version has. */
export function requiredInteger(from: Fields, name: string): number {
  const value = integerAt(from, name);
  if (value === null) throw wrong(from, name, 'a whole number', value);
  return value;
}

/** A decimal that Stripe writes as a text or a number, as a text; null when it is null or absent. */
export function decimalAt(from: Fields, name: string): string | null {
  const value = from[name];
  if (value === null || value === undefined) return null;
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^-?\d+(\.\d+)?$/.test(text)) throw wrong(from, name, 'a decimal', value);
  return text;
}

export function booleanAt(from: Fields, name: string): boolean {
  return from[name] === true;
}

/** Epoch seconds at a field as an ISO instant; null when it is null or absent. */
export function instantAt(from: Fields, name: string): string | null {
  const seconds = integerAt(from, name);
  return seconds === null ? null : toInstant(seconds, () => wrong(from, name, 'epoch seconds', seconds));
}

/** Epoch seconds at a field that every version has, as an ISO instant. */
export function requiredInstant(from: Fields, name: string): string {
  const seconds = requiredInteger(from, name);
  return toInstant(seconds, () => wrong(from, name, 'epoch seconds', seconds));
}

/** The year 9999 is as far as an ISO date goes; Postgres would take the longer form for something else. */
const LAST_SECOND = 253_402_300_799;

function toInstant(seconds: number, problem: () => MappingError): string {
  if (seconds < 0 || seconds > LAST_SECOND) throw problem();
  return new Date(seconds * 1000).toISOString();
}

/** The id at a field that holds an id or, expanded, the object itself. */
export function idAt(from: Fields, name: string): string | null {
  const value = from[name];
  return isFields(value) ? textAt(value, 'id') : textAt(from, name);
}

/** The members of an array at a field; none when it is null or absent. */
export function arrayAt(from: Fields, name: string): readonly unknown[] {
  const value = from[name];
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw wrong(from, name, 'an array', value);
  return value;
}

/** The objects of one of Stripe's lists (`{data: […]}`) at a field. */
export function listAt(from: Fields, name: string): readonly Fields[] {
  const list = objectAt(from, name);
  return list === undefined ? [] : arrayAt(list, 'data').filter(isFields);
}

function wrong(from: Fields, name: string, expected: string, value: unknown): MappingError {
  const what = typeof from['object'] === 'string' ? from['object'] : 'object';
  const id = typeof from['id'] === 'string' ? ` ${from['id']}` : '';
  const found = value === null || value === undefined ? 'missing' : `a ${typeof value}`;
  return new MappingError(`${what}${id}: ${name} should be ${expected} and is ${found}`);
}
