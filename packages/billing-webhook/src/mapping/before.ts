/**
 * What a subscription was before an event: its object with the event's `previous_attributes`, which name the fields that
 * changed with what they were, of an inner object only those of its fields. https://docs.stripe.com/api/events/object
 */
import { type Fields, isFields, MappingError, objectAt } from './read.ts';
import { mapSubscription, type SubscriptionRow } from './subscription.ts';

/** Takes an event's payload. Undefined when the event doesn't tell, or in a shape that no mapping knows. */
export function mapBefore(payload: unknown): SubscriptionRow | undefined {
  const data = isFields(payload) ? objectAt(payload, 'data') : undefined;
  const object = data && objectAt(data, 'object');
  const previous = data && objectAt(data, 'previous_attributes');
  if (object === undefined || previous === undefined) return undefined;
  try {
    return mapSubscription(merge(object, previous));
  } catch (error) {
    if (error instanceof MappingError) return undefined;
    throw error;
  }
}

function merge(object: Fields, previous: Fields): Fields {
  return {
    ...object,
    ...Object.fromEntries(
      Object.entries(previous).map(([name, value]) => {
        const now = object[name];
        return [name, isFields(value) && isFields(now) ? merge(now, value) : value];
      }),
    ),
  };
}
