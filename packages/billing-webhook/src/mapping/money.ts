/** Stripe's minor units as amounts of the currency. https://docs.stripe.com/currencies#zero-decimal */

const NO_DECIMALS = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
const THREE_DECIMALS = new Set('BHD JOD KWD OMR TND'.split(' '));

/** How many decimals Stripe's integers stand for. ISK and UGX have no smaller coin, but Stripe keeps them in hundredths. */
function decimalsOf(currency: string): number {
  if (NO_DECIMALS.has(currency)) return 0;
  return THREE_DECIMALS.has(currency) ? 3 : 2;
}

/** 1999 of USD is `19.99`, 1999 of JPY `1999`, 1999 of KWD `1.999`. The currency in upper case. */
export function toMajor(minor: number, currency: string): string {
  const decimals = decimalsOf(currency);
  const digits = String(Math.abs(minor)).padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const text = decimals === 0 ? whole : `${whole}.${digits.slice(-decimals)}`;
  return minor < 0 ? `-${text}` : text;
}
