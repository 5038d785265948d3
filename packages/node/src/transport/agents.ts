import { MillraceError } from '@millrace/core'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'

/** Where the connections of a transport come from. */
export interface Agents {
  agentFor(url: URL): HttpAgent
  close(): void
}

/** Keeps connections alive for `idleTimeout` ms, and connects through the proxy that the environment names. */
export function pooledAgents(idleTimeout: number, proxy: 'environment' | 'none'): Agents {
  const options = {
    keepAlive: true,
    // It ends idle connections only: nothing here reacts to the timeout of a socket in use. A server's keep-alive hint
    // that is shorter comes first.
    timeout: idleTimeout,
    ...(proxy === 'environment' && namesProxy() ? { proxyEnv: process.env } : {}),
  }
  const plain = new HttpAgent(options)
  const secure = new HttpsAgent(options)
  return {
    agentFor: ({ protocol }) => (protocol === 'https:' ? secure : plain),
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

/** Whether the environment names a proxy. On a Node that cannot use it, going past it in silence would be worse than an error. */
function namesProxy(): boolean {
  const name = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].find((key) => (process.env[key] ?? '') !== '')
  if (name === undefined) return false
  if (readsProxies(process.versions.node)) return true
  throw new MillraceError(
    'invalid_option',
    `the environment variable ${name} names a proxy, which node:http of Node ${process.versions.node} cannot use; ` +
      'use Node 22.21, 24.5 or later, pass an "agent" that connects through it, or set "proxy" to "none"',
    { path: 'proxy' },
  )
}

/** Whether node:http of this version has the option `proxyEnv`. */
export function readsProxies(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21)
}
