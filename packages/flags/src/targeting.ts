import type { FlagContext } from '@millrace/core'
import { type Rule, withMethods } from '@millrace/core/kit'
import type { FlagDocument } from './document.ts'
import type { FlagIssue } from './issues.ts'
import type { FlagErrorCode } from './source.ts'

/** What a `targeting` rule says of a context. */
export type TargetingResult =
  | { readonly status: 'match'; readonly variant: string }
  | { readonly status: 'none' }
  /** Default of `errorCode`: `GENERAL`. */
  | { readonly status: 'error'; readonly message: string; readonly errorCode?: FlagErrorCode }

/** The rules of one document, ready to be asked. */
export interface CompiledTargeting {
  /** What is wrong with the rules. An error below `flags.<key>` makes that flag invalid, and no other. */
  readonly issues: readonly FlagIssue[]
  /** Asks the rule of flag `key`. Never throws. */
  resolve(key: string, context: FlagContext): TargetingResult
}

/** Evaluates flagd's `targeting`. `@millrace/flags/flagd` has one that stands on `@openfeature/flagd-core`. */
export interface TargetingEngine {
  /** Prepares the rules of all flags of `document`. Never throws: what it cannot read, it reports in `issues`. */
  compile(document: FlagDocument): CompiledTargeting
}

/** What `flagdTargeting()` makes. */
export const aTargetingEngine: Rule = withMethods('compile')
