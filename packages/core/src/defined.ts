/** The fields that have a value: under exact optional types, an absent field is not one that is undefined. */
export type Defined<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> }

export function defined<T extends object>(fields: T): Defined<T>
export function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
