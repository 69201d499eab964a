// The Stripe webhook as a Supabase Edge Function; all of it is in packages/billing-webhook. deno.json says where its
// imports are, with the versions of the packages. Deploy: packages/billing-webhook/README.md.
import { createEdgeHandler } from '../../../packages/billing-webhook/src/edge.ts';

Deno.serve(
  createEdgeHandler({
    env: Deno.env.toObject(),
    write: (line) => console.log(line),
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }),
);
