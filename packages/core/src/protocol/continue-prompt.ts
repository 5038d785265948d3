/** Says to the model, as the user, that its answer was cut off and that it should go on where it stopped. */
export const continuePrompt: string =
  'Your reply was cut off by a connection failure. Continue it exactly where it stopped: no introduction, no repetition.'
