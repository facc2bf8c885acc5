/** What is said of a bench, in its printed report and in docs/benchmarks.md: all words that do not depend on a run. */
export interface Chapter {
  /** What starts it alone. */
  readonly command: string
  /** About how many minutes it takes. */
  readonly minutes: number
  /** After so many minutes it shows what it has by then; far more than it takes on a machine that is not busy. */
  readonly limit: number
  readonly title: string
  /** What is measured beside what, and how. Stands before the tables in the document. */
  readonly text: string
  /** How to read the tables. Stands below them, printed too. */
  readonly note: string
  /** The name of the drawing that shows it, and what that drawing says. */
  readonly drawing?: { readonly name: string; readonly words: string }
}

/** In the order of the document. The folder of a bench has the name of its chapter. */
export const chapters = {
  dgram: {
    command: 'npm run bench',
    minutes: 2,
    limit: 10,
    title: 'Sending and receiving, beside node:dgram',
    text: `A sender and a receiver beside plain sockets of \`node:dgram\` that do the same, written by hand, on the loopback
interface. A \`timeout\` is restarted by each datagram; \`node:dgram\` has none. The chart also shows senders on several
interfaces and without replies, from the chapters below.`,
    note: `Opening takes longer than with bare sockets, because those look nothing up and check nothing. Memory is
measured after each quarter of a million messages out and as many replies back, and a garbage collection. It is divided
by what the same process held at the start: 1.00 is flat.`,
    drawing: {
      name: 'sends.svg',
      words:
        'A chart of awaited sends per second beside node:dgram: one by one and with 64 in flight, on one interface ' +
        'and on several, and without replies. Each is a dot with the middle half of its ratios, beside a line at 1.',
    },
  },
  replies: {
    command: 'npm run bench:replies',
    minutes: 1,
    limit: 5,
    title: 'What `replies: false` gains',
    text: `The same sender with \`replies: false\` and without, beside a socket of \`node:dgram\` that is connected to the
group, as a sender's is that hears no replies.`,
    note: `The sends are awaited one by one.`,
  },
  interfaces: {
    command: 'npm run bench:interfaces',
    minutes: 1,
    limit: 6,
    title: 'Sending through several interfaces',
    text: `A send puts one datagram on each interface; \`node:dgram\` has a socket for each. The interfaces are virtual, in
a network namespace of their own.`,
    note: `The columns on the right tell what further interfaces cost: with two of them a send is two datagrams.`,
  },
  peer: {
    command: 'npm run bench:peer',
    minutes: 2,
    limit: 10,
    title: 'A peer, beside the same sockets by hand',
    text: `A \`MulticastPeer\` beside sockets of \`node:dgram\` that do the same: one that hears, and for each interface one
that sends and is connected to the group.`,
    note: `"Unconnected" is the socket that hears, sending by itself. That works on one interface alone, or in each zone.`,
  },
  following: {
    command: 'npm run bench:following',
    minutes: 4,
    limit: 10,
    title: 'Following the interfaces',
    text: `What looking at the interfaces costs while nothing changes: receivers that follow them beside the same number
of receivers that do not, at the same time. Each joins one of twenty groups, on all interfaces. Then an interface is
added, and messages are sent through it until one is heard.`,
    note: `A percentage is of one core: the processor time of a process, divided by the time that went by. The difference
is of two processes in the same window, and can be below zero where other work disturbs them.`,
  },
  carriers: {
    command: 'npm run bench:carriers',
    minutes: 3,
    limit: 10,
    title: 'The carriers, beside multicast',
    text: `The same sender and receivers over the system's multicast (dgram), a list of hosts (unicast) and a NATS server
(NATS), all on one machine, in a network namespace of their own. Each receiver is a host, with an address or a connection
of its own; 10 and 100 of them are spread over four processes. The sender is never more than 64 messages ahead of the
slowest receiver, so that none is lost. How long it takes until all have heard a message is measured with one message at
a time. Memory is that of a million messages to a receiver that keeps up, and to two that do not: the loop of one waits
a millisecond for each message, and the process of the other does nothing else for that time.`,
    note: `All receivers share one machine with the sender. With 100 of them it is mostly their work that is measured, and
what the system does for each. On a network every host receives by itself, and all but a list of hosts cost the sender
the same however many there are. Memory is measured after each quarter and a garbage collection. It is divided by what
the same process held at the start: 1.00 is flat. Lost messages are counted by \`stats.dropped\` of the receiver,
\`kernelDrops()\`, and \`stats.overflowed\` of the carrier: 1.00 is all of them. no nats-server: it was not installed.`,
  },
  struct: {
    command: 'npm run bench:struct',
    minutes: 1,
    limit: 10,
    title: 'Packing and unpacking',
    text: `A \`Struct\` beside the fastest of several ways to do the same by hand, which check nothing, and beside the
packages python-struct, jspack and binary-parser, and CPython with a prepared \`struct.Struct\`. A figure is the speed
as a fraction of that by hand; 0.50 takes twice as long. "Functions" are \`pack(format, …)\` and so on, which take the
format each time. "Interpreted" is a \`Struct\` where code may not be generated.`,
    note: `–: cannot be said in that library. differs: it throws, or its result is another, such as text or a view where the
others give a copy of the bytes.`,
    drawing: {
      name: 'struct.svg',
      words:
        'A chart of the speed of packing and of unpacking for each of six formats, on a logarithmic scale, where 1 is ' +
        'the fastest way by hand: Struct, CPython, jspack, python-struct and binary-parser.',
    },
  },
  testing: {
    command: 'npm run bench:testing',
    minutes: 1,
    limit: 10,
    title: 'The network in memory, beside real sockets',
    text: `The network for tests, \`MockNetwork\`, beside the same senders and receivers over real sockets on the loopback
interface.`,
    note: `Memory is divided by what the same process held before: 1.00 is flat.`,
  },
} as const satisfies Record<string, Chapter>

export type Name = keyof typeof chapters
