import type { FlagContext } from '@millrace/core'
import { type Rule, withMethods } from '@millrace/core/kit'
import type { FlagDocument } from './document.ts'
import type { FlagIssue } from './issues.ts'
import type { FlagErrorCode } from './source.ts'

/** The result of a `targeting` rule for a context. */
export type TargetingResult =
  | { readonly status: 'match'; readonly variant: string }
  | { readonly status: 'none' }
  /** Default of `errorCode`: `GENERAL`. */
  | { readonly status: 'error'; readonly message: string; readonly errorCode?: FlagErrorCode }

/** The rules of one document, ready to be evaluated. */
export interface CompiledTargeting {
  /** What is wrong with the rules. An error below `flags.<key>` makes that flag invalid, and no other. */
  readonly issues: readonly FlagIssue[]
  /** Evaluates the rule of the flag `key`. Never throws. */
  resolve(key: string, context: FlagContext): TargetingResult
}

/** Evaluates flagd's `targeting`. `flagdTargeting()` of `@millrace/flags/flagd` makes one from `@openfeature/flagd-core`. */
export interface TargetingEngine {
  /** Prepares the rules of all flags of `document`. Reports what it cannot read in `issues`, and never throws. */
  compile(document: FlagDocument): CompiledTargeting
}

/** Accepts a {@link TargetingEngine}. */
export const aTargetingEngine: Rule = withMethods('compile')
