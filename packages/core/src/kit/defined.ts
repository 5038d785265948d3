/** The fields that have a value. Under exact optional types, a field that is `undefined` is not an absent one. */
export type Defined<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> }

/** Returns a copy of `fields` without those that are `undefined`. */
export function defined<T extends object>(fields: T): Defined<T> {
  const copy = { ...fields }
  for (const key of Object.keys(copy)) if (Reflect.get(copy, key) === undefined) Reflect.deleteProperty(copy, key)
  if (!isDefined(copy)) throw new TypeError('unreachable')
  return copy
}

function isDefined<T extends object>(fields: T): fields is T & Defined<T> {
  return Object.values(fields).every((value) => value !== undefined)
}
