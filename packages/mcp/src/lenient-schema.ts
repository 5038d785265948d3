/** A result schema that takes anything: what comes is read by us, part by part. */
export const anything: {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'millrace'
    readonly validate: (value: unknown) => { readonly value: unknown }
  }
} = { '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value }) } }
