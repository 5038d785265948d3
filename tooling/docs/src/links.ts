import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Page, PageLink } from './markdown.ts'

/** Returns the problems of the relative links of the pages. Other links are not followed. */
export function checkLinks(root: string, pages: Page[]): { link: PageLink; message: string }[] {
  const byPath = new Map(pages.map((page) => [page.path, page]))
  return pages
    .flatMap(({ links }) => links)
    .filter(({ url }) => !/^[a-z][a-z+.-]*:/i.test(url))
    .flatMap((link) => {
      const [path = '', anchor] = decodeURI(link.url).split('#')
      const target = path === '' ? link.page : posix.join(posix.dirname(link.page), path)
      if (path.startsWith('/') || target.startsWith('..'))
        return [{ link, message: `${link.url} leads out of the repository` }]
      if (!existsSync(join(root, target))) return [{ link, message: `${link.url} leads nowhere` }]
      if (anchor === undefined || anchor === '') return []
      const page = byPath.get(target)
      return page?.anchors.has(anchor) === true ? [] : [{ link, message: `${target} has no heading "#${anchor}"` }]
    })
}
