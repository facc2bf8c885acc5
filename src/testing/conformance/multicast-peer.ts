/** What the rules make of peers: their sockets on a port that others have too. */
import { Chapter } from './chapter.js'

export const multicastPeer = new Chapter('endpoint')
