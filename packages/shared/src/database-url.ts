/** How the database is reached: encrypted wherever the way there leads over the internet. */
import { isIP } from 'node:net';

/** Names that no public DNS has. */
const LOCAL_NAME = /^(localhost|[^.]*)$|\.(local|internal|localhost|lan)$/;
/** 127/8, 10/8, 172.16/12, 192.168/16, 169.254/16, and IPv6's own of these kinds. */
const LOCAL_ADDRESS = /^(127\.|10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.|169\.254\.|::1$|f[cd]|fe80)/i;

/**
 * The URL with what makes the driver encrypt. A host on the internet gets `sslmode=require` unless the URL says another
 * mode; modes mean what they mean to psql: `require` encrypts without checking the certificate (Supabase's is its own;
 * `sslmode=verify-full&sslrootcert=<file>` checks it), `disable` does not encrypt.
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export function withTls(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  const { searchParams } = parsed;
  if (searchParams.has('ssl') || searchParams.has('uselibpqcompat')) return url;
  if (!searchParams.has('sslmode')) {
    if (isLocal(parsed.hostname) || searchParams.has('host')) return url;
    searchParams.set('sslmode', 'require');
  }
  searchParams.set('uselibpqcompat', 'true');
  return parsed.href;
}

function isLocal(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? LOCAL_NAME.test(host) : LOCAL_ADDRESS.test(host);
}
