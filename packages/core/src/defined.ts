/** The fields that have a value: under exact optional types, an absent field is not one that is undefined. */
export type Defined<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> }

export function defined<T extends object>(fields: T): Defined<T> {
  const kept: Defined<T> = { ...fields }
  for (const [key, value] of Object.entries(fields)) if (value === undefined) Reflect.deleteProperty(kept, key)
  return kept
}
