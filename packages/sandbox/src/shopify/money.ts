/** Money as Shopify writes it: decimal text with trimmed zeros, in the shop's and in the buyer's currency. */
import type { Units } from './shop.ts';

const unitsOfOne = 10_000;

/** 88000 is '8.8', 150000 is '15.0'. */
export function decimalText(units: Units): string {
  const size = Math.abs(units);
  const fraction = String(size % unitsOfOne)
    .padStart(4, '0')
    .replace(/0+$/, '');
  return `${units < 0 ? '-' : ''}${Math.trunc(size / unitsOfOne)}.${fraction === '' ? '0' : fraction}`;
}

/** '2.55' as units; throws when it is no amount with at most four decimals. */
export function unitsOf(text: string): Units {
  const match = /^(-?)(\d+)(?:\.(\d{1,4}))?$/.exec(text);
  if (match === null) throw new Error(`'${text}' is no amount with at most four decimals`);
  const units = Number(match[2]) * unitsOfOne + Number((match[3] ?? '').padEnd(4, '0'));
  return match[1] === '-' ? -units : units;
}

/** Half up to whole hundredths, the smallest coin of the sandbox's currencies. */
export function roundToCents(units: number): Units {
  return Math.round(units / 100) * 100;
}

interface Money {
  readonly amount: string;
  readonly currencyCode: string;
}

/** A MoneyBag. The buyer's money is the shop's at the order's rate. */
export function moneyBag(
  units: Units,
  currency: string,
  presentment: { readonly currency: string; readonly rate: number },
): { readonly shopMoney: Money; readonly presentmentMoney: Money } {
  const paid = presentment.rate === 1 ? units : roundToCents(units * presentment.rate);
  return {
    shopMoney: { amount: decimalText(units), currencyCode: currency },
    presentmentMoney: { amount: decimalText(paid), currencyCode: presentment.currency },
  };
}
