/** The fields that Meta's records hold, to notice when it adds or drops some. */
import { z } from 'zod';

import { FIELDS } from '../query.ts';

/** Of an entry of `actions` and `action_values`: attribution windows come only when they are asked for. */
const ACTION_FIELDS = ['action_type', 'value'];
const LISTS = ['actions', 'action_values'];

export const KNOWN_FIELDS: readonly string[] = [
  ...FIELDS,
  ...['date_start', 'date_stop'],
  ...LISTS.flatMap((list) => ACTION_FIELDS.map((field) => `${list}.${field}`)),
];

/** Meta leaves out what is zero; these have a value in every row. */
export const CONSTANT_FIELDS = [
  ...['account_id', 'account_currency', 'campaign_id', 'campaign_name', 'adset_id', 'adset_name'],
  ...['ad_id', 'ad_name', 'date_start', 'date_stop', 'spend', 'impressions'],
] as const;

const objectSchema = z.record(z.string(), z.unknown());

/** The names in a record, those of the entries of its lists dotted. */
export function fieldsOf(record: unknown): readonly string[] {
  const fields = objectSchema.safeParse(record).data ?? {};
  const names = Object.entries(fields).flatMap(([name, value]) => [
    name,
    ...(Array.isArray(value) ? value.flatMap((entry) => namesIn(name, entry)) : []),
  ]);
  return [...new Set(names)];
}

function namesIn(list: string, entry: unknown): string[] {
  return Object.keys(objectSchema.safeParse(entry).data ?? {}).map((name) => `${list}.${name}`);
}
