// run
import assert from 'node:assert/strict'
import type { StateStore } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'

const made: string[] = []
const payments = {
  async charge(cents: number, orderId: string): Promise<string> {
    made.push(orderId)
    return `charged ${cents}`
  },
  async find(orderId: string): Promise<string | undefined> {
    return made.includes(orderId) ? 'charged' : undefined
  },
}
// It stands for a store that outlives the process.
const state: StateStore = memoryStateStore()

// #region exactly-once
import { exactlyOnce } from '@millrace/core/exactly-once'

const chargeCard = exactlyOnce((order: { id: string; cents: number }) => payments.charge(order.cents, order.id), {
  store: state,
  key: ({ id }) => `charge ${id}`,
  async reconcile({ id }) {
    const receipt = await payments.find(id)
    return receipt === undefined ? { happened: false } : { happened: true, result: receipt }
  },
})
// #endregion exactly-once

assert.equal(await chargeCard({ id: 'A-17', cents: 1200 }), 'charged 1200')
assert.equal(await chargeCard({ id: 'A-17', cents: 1200 }), 'charged 1200')
assert.deepEqual(made, ['A-17'])
