import { repositoryRoot } from '@millrace/config/workspace'
import { cruise, type ICruiseOptions } from 'dependency-cruiser'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findUnplaced, readLayers, type Layers } from './layers.ts'
import { boundaryRules } from './rules.ts'

/** The result of checking a tree. */
export interface BoundaryReport {
  /** The number of checked files. */
  files: number
  violations: Violation[]
}

/** One broken rule. */
export interface Violation {
  /** The rule's name, or `placed` for a package without a layer. */
  rule: string
  message: string
}

const sources = ['packages', 'apps', 'tooling']

/** Applies every rule to the tree at `root`. */
export async function checkBoundaries(
  root: string = repositoryRoot,
  layers: Layers = readLayers(),
): Promise<BoundaryReport> {
  const rules = boundaryRules(layers)
  const options: ICruiseOptions = {
    baseDir: root,
    ruleSet: { forbidden: rules },
    validate: true,
    exclude: { path: '(^|/)(node_modules/\\.bin|dist|\\.turbo)/' },
    doNotFollow: { path: 'node_modules' },
    // Type imports are dependencies too, because published declarations need them.
    tsPreCompilationDeps: true,
    skipAnalysisNotInRules: true,
  }
  const { output } = await cruise(
    sources.filter((folder) => existsSync(join(root, folder))),
    options,
    {
      conditionNames: ['millrace-source', 'types', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      mainFields: ['types', 'module', 'main'],
      extensions: ['.ts', '.tsx', '.d.ts', '.mjs', '.js', '.json'],
      bustTheCache: true,
    },
  )
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with text instead of a result')
  const comments = new Map(rules.map(({ name, comment }) => [name, comment]))
  const broken = output.summary.violations.map(({ rule, from, to }) => ({
    rule: rule.name,
    message: `${from} -> ${to}: ${comments.get(rule.name) ?? ''}`,
  }))
  const unplaced = findUnplaced(layers, root).map((message) => ({ rule: 'placed', message }))
  return { files: output.summary.totalCruised, violations: [...unplaced, ...broken] }
}
