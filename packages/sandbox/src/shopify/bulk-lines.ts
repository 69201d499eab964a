/**
 * The result of a bulk query as lines of JSON: every node of a connection on a line of its own, children with the id of
 * their parent. Ungrouped, children come after all parents; slashes are escaped as Shopify escapes them.
 */
import { z } from 'zod';

export interface BulkLine {
  readonly depth: number;
  readonly text: string;
}

const connectionSchema = z.object({ edges: z.array(z.object({ node: z.record(z.string(), z.unknown()) })) });
type Connection = z.infer<typeof connectionSchema>;

/** `keep` cuts every nested connection to so many nodes without a word: a fault. */
export function toBulkLines(data: unknown, isGrouped: boolean, keep = Number.POSITIVE_INFINITY): BulkLine[] {
  const lines: BulkLine[] = [];
  for (const connection of Object.values(z.record(z.string(), z.unknown()).parse(data)))
    addLines(lines, connectionSchema.parse(connection), undefined, 0, keep);
  // Sorting is stable: within a depth the order stays.
  return isGrouped ? lines : lines.toSorted((a, b) => a.depth - b.depth);
}

function addLines(
  lines: BulkLine[],
  connection: Connection,
  parentId: string | undefined,
  depth: number,
  keep: number,
): void {
  const nodes = depth === 0 ? connection.edges : connection.edges.slice(0, keep);
  for (const { node } of nodes) {
    const nested: Connection[] = [];
    const own: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(node)) {
      const inner = connectionSchema.safeParse(value);
      if (inner.success) nested.push(inner.data);
      else own[name] = value;
    }
    const line = JSON.stringify(parentId === undefined ? own : { ...own, __parentId: parentId });
    lines.push({ depth, text: line.replaceAll('/', '\\/') });
    const id = z.string().optional().parse(own['id']);
    for (const inner of nested) addLines(lines, inner, id, depth + 1, keep);
  }
}
