/** What a run comes to by the results of its agents: its status, what to warn of, what the ledger keeps of the whole. */
import type { AgentResult } from '@floyo/shared/ledger';

export function statusOf(agents: readonly AgentResult[]): 'succeeded' | 'partial' | 'failed' {
  if (agents.every(({ status }) => status === 'succeeded')) return 'succeeded';
  return agents.every(({ status }) => status === 'failed') ? 'failed' : 'partial';
}

export function warningsOf(agents: readonly AgentResult[]): string[] {
  return agents.flatMap((agent) => {
    const where = `${agent.agent} ${agent.account_id ?? ''}`.trim();
    if (agent.status === 'paused') return [`${where}: ${agent.error?.message ?? 'paused'}`];
    return [];
  });
}

export function totalsOf(agents: readonly AgentResult[]): Record<string, number> {
  const sum = (pick: (agent: AgentResult) => number) =>
    agents.reduce((total, agent) => total + pick(agent), 0);
  return {
    rows_read: sum((agent) => agent.rows_read),
    rows_inserted: sum((agent) => agent.rows_inserted),
    rows_updated: sum((agent) => agent.rows_updated),
    rows_deleted: sum((agent) => agent.rows_deleted),
    rows_rejected: sum((agent) => agent.rows_rejected),
    api_calls: sum((agent) => agent.api_calls),
  };
}
