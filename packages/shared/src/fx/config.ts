/** The environment variables of exchange rates. They have defaults: the source is always configured. */
import { z } from 'zod';

import { defineConfig, splitList } from '../config.ts';
import { httpUrl } from '../schemas.ts';

export interface FxConfig {
  /** `<base>/eurofxref-hist.zip`; without a slash at the end. */
  readonly baseUrl: string;
  /** Units of a currency for one euro, for currencies that the ECB does not publish: `{AED: '4.29'}`. */
  readonly fixedRates: Readonly<Record<string, string>>;
}

const fixedRates = z
  .string()
  .default('')
  .transform((text, context) => {
    const rates: Record<string, string> = {};
    for (const part of splitList(text)) {
      const [, currency, rate] = /^([A-Z]{3})\s*=\s*(\d+(?:\.\d+)?)$/.exec(part) ?? [];
      if (currency === undefined || rate === undefined || Number(rate) === 0)
        context.addIssue(`${part}: must be a currency and its units for one euro, e.g. AED=4.29`);
      else if (currency === 'EUR') context.addIssue('EUR: one euro is one euro');
      else if (currency in rates) context.addIssue(`${currency}: named twice`);
      else rates[currency] = rate;
    }
    return rates;
  });

export const fxConfig = defineConfig({
  optional: false,
  variables: {
    ECB_BASE_URL: {
      schema: httpUrl.default('https://www.ecb.europa.eu/stats/eurofxref'),
      description: "where the European Central Bank's file of rates is: <base>/eurofxref-hist.zip",
      example: 'https://www.ecb.europa.eu/stats/eurofxref',
    },
    FX_FIXED_RATES: {
      schema: fixedRates,
      description: 'units per euro of currencies that the European Central Bank does not publish, comma list',
      example: 'AED=4.29',
    },
  },
  build: (values): FxConfig => ({
    baseUrl: values.ECB_BASE_URL.replace(/\/+$/, ''),
    fixedRates: values.FX_FIXED_RATES,
  }),
});
