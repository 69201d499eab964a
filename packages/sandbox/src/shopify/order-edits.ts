/**
 * What happens to an order behind the back of who reads it once: units taken off by an edit, attribution that comes
 * late, deletion. Drawn from random numbers of its own, so that the rest of the world does not hang on it.
 */
import { roundToCents } from './money.ts';
import { type Draft, type Events, later } from './order-life.ts';
import type { WorldEdit, WorldLine, WorldOrder, WorldRefund, WorldRefundLine } from './shop.ts';

const hourMs = 3_600_000;

interface Story extends Draft {
  readonly isPointOfSale: boolean;
  readonly isLarge: boolean;
  readonly events: Events;
}

type Afterwards = Events & Pick<WorldOrder, 'edits' | 'attributedAt' | 'deletedAt'>;

/** About 1 in 40 orders is edited, half of these get their money back; 1 in 400 is deleted; 1 in 8 is attributed hours late. */
export function afterwards(story: Story, random: () => number): Afterwards {
  const { events, createdAt, isLarge } = story;
  const [editDraw, moneyDraw, deleteDraw, attributionDraw] = [random(), random(), random(), random()];
  const isPlain = !isLarge && events.cancelledAt === null && events.refunds.length === 0;
  const edits =
    isPlain && editDraw < 0.025 ? removal(story, later(createdAt, 0.4, 2.5, random)) : ([] as const);
  const delayHours = attributionDraw < 0.88 ? 0.03 + random() * 0.6 : 6 + random() * 34;
  return {
    ...events,
    edits,
    refunds: [
      ...events.refunds,
      ...edits.filter(() => moneyDraw < 0.5).map((edit) => moneyBack(story, edit)),
    ],
    attributedAt: story.isPointOfSale ? createdAt : createdAt + Math.floor(delayHours * 3_600) * 1_000,
    deletedAt: !isLarge && deleteDraw < 0.0025 ? later(createdAt, 2, 20, random) : null,
  };
}

/** One unit of a line with several, else a whole line of several; of the last line too when there are many. */
function removal({ orderId, lines }: Story, at: number): readonly WorldEdit[] {
  const goods = lines.filter((line) => !line.isGiftCard);
  const line =
    goods.find((candidate) => candidate.quantity > 1) ?? (goods.length > 1 ? goods.at(-1) : undefined);
  if (line === undefined) return [];
  const last = goods.length > 2 ? goods.at(-1) : undefined;
  const gone = last === undefined || last === line ? [line] : [line, last];
  return [
    { id: orderId * 100 + 10, at, lines: gone.map((removed, index) => takenOff(orderId, removed, index)) },
  ];
}

function takenOff(orderId: number, line: WorldLine, index: number): WorldRefundLine {
  return {
    id: orderId * 100 + 11 + index,
    line,
    quantity: 1,
    subtotal: roundToCents((line.unitPrice * line.quantity - line.discount) / line.quantity),
    tax: roundToCents(line.tax / line.quantity),
  };
}

/** A refund of money alone: the units are no longer there to be returned. */
function moneyBack({ orderId, shop }: Story, edit: WorldEdit): WorldRefund {
  const value = edit.lines.reduce(
    (sum, line) => sum + line.subtotal + (shop.taxesIncluded ? 0 : line.tax),
    0,
  );
  return { id: orderId * 10 + 7, at: edit.at + 2 * hourMs, lines: [], shipping: null, total: value };
}
