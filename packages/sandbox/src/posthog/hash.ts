/** Numbers and ids that depend on whole-number keys alone: cheap enough to ask for millions of them. */

/** A number in [0, 1) for a key. */
export function chance(a: number, b: number, c: number, d: number): number {
  return mix(a, b, c, d) / 4294967296;
}

/** Every 16 bits in hexadecimal: putting ids together is most of the work of a large world. */
const HEX = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'));

/** A UUID (version 4 in form) for a key. */
export function uuidOf(a: number, b: number, c: number, d: number): string {
  const [w, x, y, z] = [
    mix(a, b, c, d),
    mix(b, c, d, a ^ 0x5bd1),
    mix(c, d, a, b ^ 0x1b87),
    mix(d, a, b, c ^ 0x27d4),
  ];
  return `${high(w)}${low(w)}-${high(x)}-4${low(x).slice(1)}-8${high(y).slice(1)}-${low(y)}${high(z)}${low(z)}`;
}

function high(word: number): string {
  return HEX[word >>> 16] ?? '';
}

function low(word: number): string {
  return HEX[word & 0xffff] ?? '';
}

function mix(a: number, b: number, c: number, d: number): number {
  let hash = 0x9e3779b9 ^ Math.imul(a + 0x7f4a7c15, 0x85ebca6b);
  for (const part of [b, c, d]) {
    hash = Math.imul(hash ^ (part + 0x165667b1), 0xc2b2ae35);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0x27d4eb2f);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
