import type { Place } from '@millrace/boundaries/layers'
import { projectLinks } from '@millrace/config/project-links'

/** The files of a package that does nothing yet, by their path in its folder. */
export function packageFiles(name: string, place: Place): Record<string, string> {
  const target = { types: './dist/index.d.ts', default: './dist/index.js' }
  const links = projectLinks(name)
  const manifest = {
    name: `@millrace/${name}`,
    version: '0.0.0',
    description: '',
    keywords: [],
    homepage: links.homepage,
    bugs: links.bugs,
    license: 'Apache-2.0',
    repository: links.repository,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    files: ['dist', 'README.md', 'LICENSE'],
    exports: {
      '.': { 'millrace-source': './src/index.ts', ...target },
      './package.json': './package.json',
    },
    publishConfig: {
      access: 'public',
      exports: { '.': target, './package.json': './package.json' },
    },
    scripts: { build: 'build-package', prepublishOnly: 'build-package', test: 'vitest run', types: 'tsc' },
    devDependencies: { '@millrace/config': 'workspace:*' },
  }
  const compiler = {
    extends: '../../tsconfig.base.json',
    ...(place.runtime === 'node' || place.nodeEntries ? { compilerOptions: { types: ['node'] } } : {}),
    include: ['src', 'test', 'examples'],
  }
  return {
    'package.json': `${JSON.stringify(manifest, undefined, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(compiler, undefined, 2)}\n`,
    'vitest.config.ts': "import { defineTests } from '@millrace/config/vitest'\n\nexport default defineTests()\n",
    'README.md': `# @millrace/${name}\n`,
    'src/index.ts': '',
  }
}
