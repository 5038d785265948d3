import { buildPackage } from '@millrace/config/build'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const here = import.meta.dirname

/**
 * Builds the package as it is published, and a program that uses it with the SDK: `cli.mjs`, which takes the model's
 * URL and prints what came of a run, and the configuration of a worker that answers a request whose path is that URL.
 */
export async function buildPrograms(folder: string): Promise<{ readonly cli: string; readonly worker: string }> {
  const dist = join(folder, 'dist')
  await buildPackage(join(here, '../..'), dist)
  const sources = {
    cli: `import { runOnce } from './program.ts'\nconst args = typeof Deno === 'undefined' ? process.argv.slice(2) : Deno.args\nconsole.log(await runOnce(args[0]))\n`,
    worker: `import { runOnce } from './program.ts'\nexport default { fetch: async (request) => new Response(await runOnce(decodeURIComponent(new URL(request.url).pathname.slice(1)))) }\n`,
  }
  const bundle = async (name: keyof typeof sources): Promise<string> => {
    const outfile = join(folder, `${name}.mjs`)
    await build({
      stdin: { contents: sources[name], resolveDir: here, loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      target: 'es2022',
      platform: name === 'worker' ? 'browser' : 'node',
      alias: { '@millrace/core': join(dist, 'index.js') },
      logLevel: 'silent',
    })
    return outfile
  }
  const [cli] = await Promise.all([bundle('cli'), bundle('worker')])
  await writeFile(join(folder, 'worker.capnp'), workerConfig)
  return { cli, worker: join(folder, 'worker.capnp') }
}

/** A worker that may reach this machine, on a port of the system's choice. */
const workerConfig = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker", esModule = embed "worker.mjs")],
      compatibilityDate = "2026-10-01",
      globalOutbound = "local",
    )),
    (name = "local", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`
