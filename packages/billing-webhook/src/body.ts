/** Reads a request's body whole, but no more of it and no longer than a delivery of Stripe's could need. */

/** The largest events seen are of some 100 KB. */
export const MAX_BODY_BYTES = 1024 * 1024;
export const BODY_TIMEOUT_MS = 10_000;

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** The body, or the status that says why not: 413 too large, 408 too slow, 400 broken off. */
export async function readBody(
  request: Request,
  { maxBytes, timeoutMs }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer> | 400 | 408 | 413> {
  const length = request.headers.get('content-length');
  if (length !== null && !(Number(length) <= maxBytes)) return 413;
  const late = Promise.withResolvers<408>();
  const timer = setTimeout(() => late.resolve(408), timeoutMs);
  try {
    // The server reads no more than the length that was announced; without one the bytes are counted as they come.
    const reading = length === null ? readCounted(request, maxBytes) : readWhole(request, maxBytes);
    return await Promise.race([reading, late.promise]);
  } catch {
    return 400;
  } finally {
    clearTimeout(timer);
  }
}

async function readWhole(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | 413> {
  const body = new Uint8Array(await request.arrayBuffer());
  return body.length > maxBytes ? 413 : body;
}

async function readCounted(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | 413> {
  const body: ReadableStream<Uint8Array> | null = request.body;
  const reader = body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done) break;
    size += next.value.length;
    if (size > maxBytes) {
      await reader?.cancel();
      return 413;
    }
    chunks.push(next.value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
