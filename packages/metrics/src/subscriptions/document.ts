/** What docs/metrics.md says of MRR, for people who compare it with another tool's. */

export const WHAT_COUNTS_AS_MRR = [
  'The state at the end of each business day decides; it follows from every version of every subscription, so a late event changes its day and those after it.',
  '',
  '- Counted: subscriptions that are `active` or `past_due`, whose trial is over and whose collection is not paused (a pause that keeps drafts counts). Only the platform’s own live account; test clocks never.',
  '- An item is worth its unit amount times its quantity (packages and tiers as Stripe bills them), brought to a month: a month of k 1/k, a year 1/12, a week 52/12, a day 365/12. Metered and one-time items are worth 0, and so is tax that a price includes.',
  '- Coupons that recur (`forever`, `repeating`) come off while they last, those of an item before those of the subscription, each of what is left; an amount off is spread over the items that it covers. A coupon for one invoice (`once`) is none.',
  '- A refund, a proration, a paid or unpaid invoice changes no MRR.',
  '- Movements are per customer and currency, the end of the day against the end of the day before: `new` (never had any), `reactivation` (had some once), `expansion`, `contraction`, `churn`. What the rates made is `fx_mrr`. Together they are exactly the change of MRR. Who comes and goes on one day was never there; another currency is churn in the one and new in the other, but no new and no lost subscriber.',
  '- Retention over 30 days compares the customers of 30 days before with themselves now, point to point, at the rate of then.',
  '- An item whose price, tiers or coupon are not known is never guessed: its subscription is left out, the day is `incomplete`, and the run’s metadata count it (`unpriced`).',
  '- `ops.mrr_spans` and `ops.customer_mrr` hold each subscription’s and each customer’s history.',
].join('\n');
