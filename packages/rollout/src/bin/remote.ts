import { isRecord } from '@millrace/core/kit'
import type { RolloutAction } from '../control/act.ts'
import { drawStatus, isReport } from './draw-status.ts'
import { type CommandHost, UsageError } from './host.ts'

export interface RemoteOptions {
  readonly url?: string | undefined
  readonly reason?: string | undefined
  readonly stage?: string | undefined
  readonly salt?: string | undefined
  readonly json?: boolean | undefined
}

/** Asks a running application what its rollout does. */
export async function status(options: RemoteOptions, host: CommandHost): Promise<number> {
  const answer = await ask('status', 'GET', options, host)
  if (answer === undefined) return 1
  if (!isReport(answer)) {
    host.err('the answer is not a status: does the URL lead to createRolloutHandler?')
    return 1
  }
  for (const line of options.json === true ? [JSON.stringify(answer, undefined, 2)] : drawStatus(answer)) host.out(line)
  return 0
}

/** Does something to the rollout of a running application. */
export async function change(
  action: RolloutAction['type'],
  options: RemoteOptions,
  host: CommandHost,
): Promise<number> {
  const answer = await ask(action, 'POST', options, host)
  if (answer === undefined) return 1
  const state = isRecord(answer) ? answer['state'] : undefined
  const log: unknown = isRecord(state) ? state['log'] : undefined
  const last: unknown = Array.isArray(log) ? log.at(-1) : undefined
  if (isRecord(last))
    host.out(
      `${String(last['action']).replace('_', ' ')}: ${String(last['from'])} → ${String(last['to'])}, ${String(last['percent'])} % stream`,
    )
  return 0
}

async function ask(
  route: string,
  method: 'GET' | 'POST',
  { url = '', reason, stage, salt }: RemoteOptions,
  host: CommandHost,
): Promise<unknown> {
  const base = url === '' ? host.env['MILLRACE_ROLLOUT_URL'] : url
  if (base === undefined || !URL.canParse(base)) {
    throw new UsageError(
      'the URL of the rollout is missing: give --url or MILLRACE_ROLLOUT_URL, such as https://app.example/rollout',
    )
  }
  const token = host.env['MILLRACE_ROLLOUT_TOKEN']
  const headers = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  const body = method === 'POST' ? { body: JSON.stringify({ reason, stage, salt }) } : {}
  let response: Response
  try {
    response = await host.fetch(`${base.replace(/\/$/, '')}/${route}`, { method, headers, ...body })
  } catch {
    host.err(`cannot reach ${base}`)
    return undefined
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer
  const error = isRecord(answer) && isRecord(answer['error']) ? String(answer['error']['message']) : 'no reason given'
  host.err(`${base} answered ${response.status}: ${error}`)
  return undefined
}
