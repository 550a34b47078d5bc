/* The table, line by line as the benches come to their ends: a row for each figure. */
import type { Line, Skipped } from '../measure/comparison.ts'
import { goalText, ratioText, spreadText } from './cells.ts'
import type { Machine } from './machine.ts'

const WIDTHS = [10, 50, 23, 18, 22, 22, 19, 27, 0]

/** What stands above the lines. */
export function heading ({ node, cpus }: Machine): string {
  return `Node ${node}, ${cpus} CPUs. Only ratios within one run mean anything: all other figures are this machine's, at this moment.\n\n` +
    row(['bench', 'what', 'against', 'figure', 'ours', 'other', 'ratio', 'goal', 'complete'])
}

/** The rows of a line; what is the same in all of them is said once. */
export function rowsOf (line: Line | Skipped): string {
  if ('skipped' in line) return row([line.bench, line.what, line.against, `skipped: ${line.skipped}`])
  const { bench, what, against, figures, complete, fault } = line
  return figures.map((figure, index) => row([
    ...index === 0 ? [bench, what, against ?? '-'] : ['', '', ''],
    figure.name,
    spreadText(figure.ours, figure.unit),
    figure.other === null ? '' : spreadText(figure.other, figure.unit),
    ratioText(figure),
    goalText(figure),
    index === 0 ? fault === null ? complete : `FAILED: ${fault}` : ''
  ])).join('')
}

function row (cells: string[]): string {
  return cells.map((cell, column) => cell.padEnd(WIDTHS[column]!)).join('  ').trimEnd() + '\n'
}
