/**
 * A file without a name: texts are dealt out to buckets and each bucket is read back whole. The disk has its room again
 * when the file is closed or its process ends, however that ends.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PipelineError } from '@floyo/shared/errors';

export interface Spool {
  /** Adds to a bucket. One call at a time. @throws PipelineError when the disk is full. */
  append(bucket: number, text: string): Promise<void>;
  /** What was added to a bucket, in order. */
  read(bucket: number): Promise<string>;
  /** Forgets everything, to begin again. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Makes one in the system's folder for temporary files, for its owner alone. */
export async function openSpool(): Promise<Spool> {
  const folder = await mkdtemp(join(tmpdir(), 'floyo-bulk-'));
  const handle = await open(join(folder, 'spool'), 'wx+', 0o600).finally(() =>
    rm(folder, { recursive: true, force: true }),
  );
  const pieces = new Map<number, { readonly position: number; readonly length: number }[]>();
  let end = 0;
  return {
    async append(bucket, text) {
      const bytes = Buffer.from(text);
      try {
        for (let written = 0; written < bytes.length;)
          written += (await handle.write(bytes, written, bytes.length - written, end + written)).bytesWritten;
      } catch (error) {
        throw new PipelineError({
          type: 'internal',
          message: `The result of a bulk operation can't be kept in ${tmpdir()}: ${error instanceof Error ? error.message : String(error)}`,
          advice: 'Make room there, or read fewer days at once.',
          cause: error,
        });
      }
      const own = pieces.get(bucket) ?? [];
      own.push({ position: end, length: bytes.length });
      pieces.set(bucket, own);
      end += bytes.length;
    },
    async read(bucket) {
      const parts: Buffer[] = [];
      for (const { position, length } of pieces.get(bucket) ?? []) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
        if (bytesRead !== length) throw new Error(`The spool has ${bytesRead} bytes of ${length}.`);
        parts.push(buffer);
      }
      return Buffer.concat(parts).toString('utf8');
    },
    async clear() {
      pieces.clear();
      end = 0;
      await handle.truncate(0);
    },
    close: () => handle.close(),
  };
}
