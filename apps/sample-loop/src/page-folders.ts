import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const { resolve } = createRequire(import.meta.url)

/** The folders that an app serves for the page. */
export const pageFolders: {
  /** The page itself, for `/`. */
  readonly page: string
  /** The built modules of `@millrace/core`, for `/millrace`: the page has no build, so the browser imports them. */
  readonly millrace: string
} = {
  page: fileURLToPath(new URL('../../web/public', import.meta.url)),
  millrace: dirname(resolve('@millrace/core')),
}
