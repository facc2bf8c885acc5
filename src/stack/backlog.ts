import { type EventEmitter, errorMonitor } from 'node:events'
import { bindFailure } from './running-node.js'

/** Has `callback` called once, at the next `listening` of a socket, unless its bind fails. */
export function callOnceBound(socket: EventEmitter, callback: () => void): void {
  const forget = (): void => {
    socket.removeListener(bindFailure, forget)
    socket.removeListener('listening', call)
  }
  const call = (): void => {
    forget()
    callback.call(socket)
  }
  socket.on(bindFailure, forget)
  socket.on('listening', call)
}

/**
 * What waits for a socket to be bound. It goes on as a listener that was added with the first that waits: those
 * that were there before hear of `listening` before it does. Where the bind fails, it is never heard of again.
 */
export class Backlog {
  readonly #socket: EventEmitter
  #tasks: (() => void)[] | undefined

  constructor(socket: EventEmitter) {
    this.#socket = socket
  }

  /** Whether anything waits. */
  get isThere(): boolean {
    return this.#tasks !== undefined
  }

  add(task: () => void): void {
    this.#tasks ??= this.#begin()
    this.#tasks.push(task)
  }

  #begin(): (() => void)[] {
    const tasks: (() => void)[] = []
    const flush = (): void => {
      this.#socket.removeListener(errorMonitor, drop)
      this.#tasks = undefined
      for (const task of tasks) task()
    }
    const drop = (): void => {
      this.#socket.removeListener('listening', flush)
      this.#tasks = undefined
    }
    this.#socket.once(errorMonitor, drop)
    this.#socket.once('listening', flush)
    return tasks
  }
}
