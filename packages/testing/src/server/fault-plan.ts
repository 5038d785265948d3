import type { Conversation } from '../script/conversation.ts'
import type { Fault, FaultMatch, FaultRule } from '../faults/fault.ts'

/** What goes wrong, and when: rules, of which the first that matches applies, or a function of the request. */
export type FaultPlan = readonly FaultRule[] | ((request: Conversation) => Fault | undefined)

/** A plan in use, which remembers how often each rule was applied. */
export interface ActiveFaultPlan {
  take(request: Conversation): Fault | undefined
  /** Adds a rule behind the others. */
  add(rule: FaultRule): void
}

export function activateFaultPlan(plan: FaultPlan): ActiveFaultPlan {
  const rules = typeof plan === 'function' ? [] : [...plan]
  const hits = new Map<FaultRule, number>()
  return {
    take(request) {
      const fault = typeof plan === 'function' ? plan(request) : undefined
      if (fault !== undefined) return fault
      for (const rule of rules) {
        const count = hits.get(rule) ?? 0
        if (!matches(rule, request) || count >= limit(rule)) continue
        hits.set(rule, count + 1)
        return rule
      }
      return undefined
    },
    add(rule) {
      rules.push(rule)
    },
  }
}

function matches(rule: FaultMatch, request: Conversation): boolean {
  if (rule.turn !== undefined && rule.turn !== request.turn) return false
  if (rule.stream !== undefined && rule.stream !== request.stream) return false
  const { attempt = 'all' } = rule
  if (attempt === 'all') return true
  return typeof attempt === 'number' ? attempt === request.attempt : attempt.includes(request.attempt)
}

function limit(rule: FaultMatch): number {
  const times = rule.times ?? (rule.attempt === undefined ? 1 : 'forever')
  return times === 'forever' ? Number.POSITIVE_INFINITY : times
}
