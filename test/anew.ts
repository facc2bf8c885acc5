import { moduleOf } from './tree.js'

let times = 0

/** Loads a module of src/ once more, so that it takes what there is now, and nobody else has it. */
export function importAnew<Module>(name: string): Promise<Module> {
  times += 1
  return import(`${JSON.parse(moduleOf(name))}?${times}`)
}
