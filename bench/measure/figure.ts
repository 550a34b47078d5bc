/* What benches measure: figures of rounds, and what we want of them. */
import { median } from './interleave.ts'

export type Unit = '/s' | 'µs' | 'ms' | 'MB' | 'kB' | 'B' | '%' | 'x'

/** The middle one of some rounds, and between which the others lie. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** What we want to keep; with several numbers the first is wanted now, the next later. */
export interface Goal {
  /** Of ours by the other's, or of our own figure. */
  of: 'ratio' | 'ours'
  is: '>=' | '<='
  than: number[]
}

/** A figure that each round of each side finds, under its name. */
export interface FigureSpec {
  unit: Unit
  goal?: Goal
}

/** One figure of a line: of our side, and of the other. */
export interface Figure {
  name: string
  unit: Unit
  ours: Spread
  /** Null where there is no other side, or it has no such figure. */
  other: Spread | null
  /** Ours by the other's, round by round. */
  ratio: Spread | null
  goal: Goal | null
}

export function ratio (is: Goal['is'], ...than: number[]): Goal {
  return { of: 'ratio', is, than }
}

export function value (is: Goal['is'], ...than: number[]): Goal {
  return { of: 'ours', is, than }
}

export function spread (figures: number[]): Spread {
  return { median: median(figures), min: Math.min(...figures), max: Math.max(...figures) }
}

/** Whether a figure reaches the first number of its goal; null if it has none. */
export function isMet ({ ours, ratio, goal }: Figure): boolean | null {
  const reached = goal?.of === 'ratio' ? ratio?.median : ours.median
  if (goal === null || reached === undefined) return null
  return goal.is === '>=' ? reached >= goal.than[0]! : reached <= goal.than[0]!
}
