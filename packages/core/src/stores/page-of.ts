import type { ListPosition } from './run-store.ts'

/** Returns a page of `items`, the latest first. */
export function pageOf<Item>(
  items: readonly Item[],
  positionOf: (item: Item) => ListPosition,
  { before, limit }: { readonly before?: ListPosition; readonly limit: number },
): readonly Item[] {
  return items
    .map((item) => ({ item, position: positionOf(item) }))
    .filter(({ position }) => before === undefined || compare(position, before) > 0)
    .sort((a, b) => compare(a.position, b.position))
    .slice(0, limit)
    .map(({ item }) => item)
}

/** Negative if `a` comes before `b` in a list: the later one first, and of two at once the one with the larger id. */
function compare(a: ListPosition, b: ListPosition): number {
  if (a.at !== b.at) return b.at - a.at
  return a.id === b.id ? 0 : a.id > b.id ? -1 : 1
}
