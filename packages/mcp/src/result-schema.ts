/** A schema that accepts any result, because this package reads results field by field. */
export const anyResult: {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'millrace'
    readonly validate: (value: unknown) => { readonly value: unknown }
  }
} = { '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value }) } }
