import { testStart } from '@millrace/sample-loop/start-suite'

testStart(new URL('..', import.meta.url))
