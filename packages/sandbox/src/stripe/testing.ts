/** For tests of the stripe server: reading its answers with plain fetch, typed. */
import { z } from 'zod';

import type { Sandbox } from '../index.ts';
import { stripeKey } from './access.ts';

const objectSchema = z.looseObject({ id: z.string(), created: z.number().optional() });
export type Answered = z.infer<typeof objectSchema>;

const bodySchema = z.looseObject({
  object: z.string().optional(),
  data: z.array(objectSchema).optional(),
  has_more: z.boolean().optional(),
  url: z.string().optional(),
  error: z.looseObject({ type: z.string(), code: z.string().optional(), message: z.string() }).optional(),
});

export interface StripeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: z.infer<typeof bodySchema>;
}

/** One request; `path` is what follows /v1/. */
export async function askStripe(
  { url }: Pick<Sandbox, 'url'>,
  path: string,
  headers: Readonly<Record<string, string>> = { authorization: `Bearer ${stripeKey}` },
): Promise<StripeAnswer> {
  const response = await fetch(`${url}/stripe/v1/${path}`, { headers });
  const body = bodySchema.parse(await response.json());
  return { status: response.status, headers: response.headers, body };
}

/** A whole list, a page after the other by `starting_after`. */
export async function readStripe(sandbox: Pick<Sandbox, 'url'>, path: string): Promise<Answered[]> {
  const all: Answered[] = [];
  for (;;) {
    const after = all.at(-1)?.id;
    const { body } = await askStripe(
      sandbox,
      `${path}${after === undefined ? '' : `&starting_after=${after}`}`,
    );
    if (body.data === undefined) throw new Error(JSON.stringify(body.error));
    all.push(...body.data);
    if (body.has_more !== true) return all;
  }
}
