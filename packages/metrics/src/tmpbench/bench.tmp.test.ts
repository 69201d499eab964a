import { expect, test } from 'vitest';
import { connect } from '@floyo/shared/db';
import { createTestDatabase } from '@floyo/shared/testing/database';
import { createRedactor } from '@floyo/shared/redact';
import { createLogger } from '@floyo/shared/log';
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { runMetrics } from './run.ts';

test('bench', async () => {
  const t = await createTestDatabase();
  const session = await connect(t.url);
  const time = async (name: string, f: () => Promise<unknown>) => { const a = performance.now(); const r = await f(); console.log(name, Math.round(performance.now() - a), 'ms', JSON.stringify(r)?.slice(0,200)); };
  const q = (s: string) => sql.raw(s).execute(session.db);
  await q(`insert into ops.settings (reporting_timezone, reporting_currency) values ('UTC','USD')`);
  await time('fx', () => q(`insert into fx_rates (external_id,date,quote,rate_per_eur) select 'ecb:'||c, d::date, c, 1.1+random() from generate_series('2000-01-01'::date,'2026-11-20','1 day') d, unnest(array['USD','GBP','JPY','A','B','C','D','E','F','G','H','I','J','K','L','M','N','O','P','Q','R','S','T','U']) c`).then(r=>Number(r.numAffectedRows)));
  await time('spend 100 ads x 1095', () => q(`insert into spend (external_id,date,source,account_id,account_timezone,campaign_id,ad_group_id,ad_id,currency,spend,impressions,clicks,conversions,conversion_value,raw)
   select 'meta:'||a, d::date, case when a%2=0 then 'meta' else 'tiktok' end, 'x','UTC','c'||a%10,'g',a, case when a%3=0 then 'GBP' else 'USD' end, round((random()*100)::numeric,2), 100,10,1,5.5,'{}' from generate_series(1,100) a, generate_series('2023-11-22'::date,'2026-11-20','1 day') d`).then(r=>Number(r.numAffectedRows)));
  await time('orders 110k', () => q(`insert into orders (external_id,date,source,shop,order_name,created_at,processed_at,updated_at,customer_id,currency,gross_sales,discounts,shipping,taxes,total,refunded,financial_status,test,item_count)
   select 'shopify:'||(d::date-'2000-01-01'::date)*1000+a, d::date,'shopify','s.myshopify.com','#1',d,d,d, (random()*40000)::int::text,'USD',100,5,6,7,108,0,'PAID',false,1 from generate_series(1,100) a, generate_series('2023-11-22'::date,'2026-11-20','1 day') d`).then(r=>Number(r.numAffectedRows)));
  await time('refunds', () => q(`insert into refunds (external_id,date,order_external_id,currency,returns,shipping,taxes,total) select 'shopify:r'||external_id, date+3, external_id,'USD',5,1,1,7 from orders where random()<0.1`).then(r=>Number(r.numAffectedRows)));
  await q(`insert into ops.coverage (source,account_id,stream,day,read_at,final_at) select s,'x','st',d, now(), d + interval '29 days' from unnest(array['meta','tiktok','shopify']) s, generate_series('2023-11-22'::date,'2026-11-20','1 day') d`);
  await q('analyze');
  await time('marks', () => q('select kind, count(*) from ops.dirty_marks group by 1').then(r=>r.rows));
  const log = createLogger({ level: 'silent', redactor: createRedactor([]) });
  const run = (extra = {}) => runMetrics({ session, write: (work, o) => { const b = session.db.transaction(); return (o?.isolationLevel ? b.setIsolationLevel(o.isolationLevel) : b).execute(work); },
    accounts: [{source:'meta',accountId:'x',stream:'st'},{source:'tiktok',accountId:'x',stream:'st'},{source:'shopify',accountId:'x',stream:'st'}], reporting: {timezone:'UTC',currency:'USD'}, now: Temporal.Instant.from('2026-11-20T12:00:00Z'), runId: crypto.randomUUID(), log, signal: new AbortController().signal, ...extra });
  await time('first', () => run());
  await time('idle', () => run());
  await time('idle', () => run());
  await time('full', () => run({full:true}));
  await time('full', () => run({full:true}));
  await time('28 days', () => run({range:{from:'2026-10-24',to:'2026-11-21'}}));
  await q(`update spend set spend = spend + 1 where date > '2026-10-23'`);
  await time('28 days after update', () => run());

  await session.end(); await t.drop();
  expect(1).toBe(1);
}, 120000);
