/** What the doctor finds, and what a test wants it to be. */
import assert from 'node:assert/strict'
import { type Check, diagnose, type Finding } from '../src/doctor/index.js'

/** All that is found. */
export async function findings(of: Parameters<typeof diagnose>[0]): Promise<Finding[]> {
  const found: Finding[] = []
  for await (const finding of diagnose(of)) found.push(finding)
  return found
}

/** All of them in lines, for the message of a failure. */
export const shown = (found: readonly Finding[]) =>
  found.map(({ check, verdict, seen }) => `${verdict} ${check}: ${seen}`).join('\n')

/** The checks with that verdict, once each. `system` tells of the machine that the tests run on. */
export function checks(found: readonly Finding[], verdict: Finding['verdict']): Check[] {
  const those = found.filter((one) => one.verdict === verdict && one.check !== 'system')
  return [...new Set(those.map(({ check }) => check))]
}

/** Fails unless that is the one thing that is called bad. */
export function onlyBad(found: readonly Finding[], check: Check, seen = /./): void {
  assert.deepEqual(checks(found, 'bad'), [check], shown(found))
  const finding = found.find((one) => one.verdict === 'bad')
  assert.match(finding?.seen ?? '', seen)
  assert.ok(finding?.remedy)
}

/** Fails unless that is doubted, and nothing called bad. */
export function doubted(found: readonly Finding[], check: Check, seen: RegExp): void {
  assert.deepEqual(checks(found, 'bad'), [], shown(found))
  const those = found.filter((one) => one.verdict === 'doubtful' && one.check === check)
  assert.ok(
    those.some((one) => seen.test(one.seen) && one.remedy),
    shown(found),
  )
}
