import type { IForbiddenRuleType } from 'dependency-cruiser'
import type { Layers, Place } from './layers.ts'

/** Returns the rules for dependency-cruiser, built from the table of layers. */
export function boundaryRules(layers: Layers): IForbiddenRuleType[] {
  return [...layerRules(layers), ...roomRules(layers), ...runtimeRules(layers), ...packageRules, ...moduleRules]
}

/** A package imports packages of lower layers only. */
function layerRules(layers: Layers): IForbiddenRuleType[] {
  const depths = [...new Set(Object.values(layers).map(({ layer }) => layer))].sort((a, b) => a - b)
  return depths.flatMap((depth) => {
    // `testing` is outside the layers. Its own rules say which files may import it.
    const own = foldersWhere(layers, (place, folder) => place.layer === depth && folder !== 'testing')
    const higher = foldersWhere(layers, (place) => place.layer > depth)
    const rules: IForbiddenRuleType[] = []
    if (own.length > 1) {
      rules.push({
        name: `layer-${depth}-no-sibling`,
        comment: 'a package never imports another of its own layer: move what both need to a lower one',
        severity: 'error',
        from: { path: `^packages/(${own.join('|')})/` },
        to: { path: `^packages/(${own.join('|')})/`, pathNot: '^packages/$1/' },
      })
    }
    if (own.length > 0 && higher.length > 0) {
      rules.push({
        name: `layer-${depth}-imports-lower-only`,
        comment: 'a layer imports only lower layers (tooling/boundaries/layers.json)',
        severity: 'error',
        from: { path: `^packages/(${own.join('|')})/` },
        to: { path: `^packages/(${higher.join('|')})/` },
      })
    }
    return rules
  })
}

/** In a package with rooms, a file imports only lower rooms, and never the files above all rooms. */
function roomRules(layers: Layers): IForbiddenRuleType[] {
  return Object.entries(layers).flatMap(([folder, { rooms = [] }]) =>
    rooms.map((room, floor): IForbiddenRuleType => {
      const above = rooms.slice(floor + 1).map((higher) => `${higher}/`)
      return {
        name: 'rooms-import-down',
        comment: 'a room imports only rooms below it (`rooms` in tooling/boundaries/layers.json)',
        severity: 'error',
        from: { path: `^packages/${folder}/src/${room}/` },
        to: { path: `^packages/${folder}/src/(${[...above, '[^/]+$'].join('|')})` },
      }
    }),
  )
}

/** Neutral code runs everywhere: neither Node's built-ins nor code for Node reaches it. */
function runtimeRules(layers: Layers): IForbiddenRuleType[] {
  const neutral = `^packages/(${foldersWhere(layers, ({ runtime }) => runtime === 'neutral').join('|')})/src/`
  const nodeOnly = `^packages/(${foldersWhere(layers, ({ runtime }) => runtime === 'node').join('|')})/`
  const nodeEntries = Object.entries(layers).flatMap(([folder, { nodeEntries = [] }]) =>
    nodeEntries.map((entry) => `^packages/${folder}/src/${entry}(/|\\.ts$)`),
  )
  return [
    {
      name: 'neutral-no-node-builtins',
      comment: 'neutral code runs outside Node: put Node code into an entry listed in `nodeEntries`',
      severity: 'error',
      from: { path: neutral, pathNot: nodeEntries },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'neutral-no-node-entry',
      comment: "a neutral file must not import a package's Node entry",
      severity: 'error',
      from: { path: neutral, pathNot: nodeEntries },
      to: { path: nodeEntries },
    },
    {
      name: 'neutral-no-node-package',
      comment: 'a neutral package cannot depend on one that needs Node',
      severity: 'error',
      from: { path: neutral, pathNot: nodeEntries },
      to: { path: nodeOnly },
    },
  ]
}

const packageRules: IForbiddenRuleType[] = [
  {
    name: 'testing-stands-alone',
    comment: '`testing` imports no Millrace package, so that every package may devDepend on it without a circle',
    severity: 'error',
    from: { path: '^packages/testing/(src|bin)/' },
    to: { path: '^(packages/(?!testing/)|apps/|tooling/)' },
  },
  {
    name: 'testing-only-in-tests',
    comment:
      'published code never needs the means of tests; tests and examples may use them, and `parity` is a test itself',
    severity: 'error',
    from: { path: '^packages/(?!(testing|parity)/)[^/]+/src/' },
    to: { path: '^packages/testing/' },
  },
  {
    name: 'no-deep-import',
    comment: 'another package is imported by its name, never by a path into its folder',
    severity: 'error',
    from: { path: '^((?:packages|apps|tooling)/[^/]+)/' },
    to: { path: '^(packages|apps|tooling)/', pathNot: '^$1/', dependencyTypes: ['local'] },
  },
  {
    name: 'no-app-import',
    comment: 'apps are consumers: nothing imports them',
    severity: 'error',
    from: { path: '^(packages|tooling)/' },
    to: { path: '^apps/' },
  },
  {
    name: 'apps-stand-alone',
    comment: 'an app imports packages, never another app; of the apps only the loop that the samples share',
    severity: 'error',
    from: { path: '^(apps/[^/]+)/' },
    to: { path: '^apps/', pathNot: '^($1|apps/sample-loop)/' },
  },
  {
    name: 'no-tooling-in-source',
    comment: 'what is published or run does not depend on the tooling of this repository',
    severity: 'error',
    from: { path: '^(packages|apps)/[^/]+/src/' },
    to: { path: '^tooling/' },
  },
]

const moduleRules: IForbiddenRuleType[] = [
  {
    name: 'no-circular',
    comment: 'merge files that need each other, or move the shared part to a third; type imports count',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-unresolvable',
    comment: 'the import cannot be resolved: a typo, or a subpath that the package does not export',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'no-undeclared-dependency',
    comment: 'declare it in the package.json of the package that imports it',
    severity: 'error',
    from: { path: '^(packages|apps|tooling)/[^/]+/src/' },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'no-dev-dependency-in-source',
    comment: 'users of the package do not get its devDependencies or their types',
    severity: 'error',
    from: { path: '^packages/[^/]+/src/' },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'] },
  },
  {
    name: 'source-is-self-contained',
    comment: 'source never imports tests, examples or build configuration',
    severity: 'error',
    from: { path: '^((?:packages|apps|tooling)/[^/]+)/src/' },
    to: { path: '^$1/', pathNot: '^$1/(src/|node_modules/|[^/]+\\.json$)' },
  },
]

function foldersWhere(layers: Layers, test: (place: Place, folder: string) => boolean): string[] {
  return Object.entries(layers)
    .filter(([folder, place]) => test(place, folder))
    .map(([folder]) => folder)
}
