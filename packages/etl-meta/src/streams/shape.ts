/** The fields that Meta's records hold, to notice when it adds or drops some. */
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

/** The names in a record, those of the entries of its lists dotted, each once. Asked of every record, so without a schema. */
export function fieldsOf(record: unknown): readonly string[] {
  const names: string[] = [];
  for (const [name, value] of isObject(record) ? Object.entries(record) : []) {
    names.push(name);
    if (!Array.isArray(value)) continue;
    // Some twenty entries have the same two fields: the dotted names are made once.
    const fields = new Set<string>();
    for (const entry of value) if (isObject(entry)) for (const field of Object.keys(entry)) fields.add(field);
    for (const field of fields) names.push(`${name}.${field}`);
  }
  return names;
}

function isObject(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
