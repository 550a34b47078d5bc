/* Figures as text. */
import { type Figure, type Goal, isMet, type Spread, type Unit } from '../measure/figure.ts'

/** A figure with three digits or so, and its unit. */
export function amount (figure: number, unit: Unit): string {
  if (unit === '/s' && figure >= 10_000) return `${Math.round(figure / 1_000)}k/s`
  const size = Math.abs(figure)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3
  const text = figure.toFixed(digits)
  return unit === '%' || unit === '/s' || unit === 'x' ? `${text}${unit}` : `${text} ${unit}`
}

/** The median of some rounds, and the least and the most of them. */
export function spreadText ({ median, min, max }: Spread, unit: Unit): string {
  return min === max ? amount(median, unit) : `${amount(median, unit)} (${alone(min, unit)}–${alone(max, unit)})`
}

/** Ours by the other's; empty where there is no other. */
export function ratioText ({ ratio }: Figure): string {
  return ratio === null ? '' : spreadText(ratio, 'x')
}

/** What we want to keep, and whether it is reached; empty if nothing is wanted. */
export function goalText (figure: Figure): string {
  const { goal, unit } = figure
  if (goal === null) return ''
  return `${wanted(goal, unit)}${isMet(figure) === true ? '' : ' missed'}`
}

function wanted ({ of, is, than }: Goal, unit: Unit): string {
  const unitOf = of === 'ratio' ? 'x' : unit
  const texts = than.map((number) => `${number}${unitOf === '%' || unitOf === 'x' || unitOf === '/s' ? '' : ' '}${unitOf}`)
  return `${is} ${texts.join(', then ')}`
}

/** The number without its unit; thousands stay, as they may be of one end alone. */
function alone (figure: number, unit: Unit): string {
  return amount(figure, unit).replace(unit, '').trim()
}
