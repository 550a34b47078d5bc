/* The table, line by line as the benches come to their ends. */
import { availableParallelism } from 'node:os'
import type { Comparison } from './comparison.ts'

const WIDTHS = [8, 42, 8, 8, 6, 7, 14, 14, 6, 0]

/** What stands above the lines. */
export function heading (): string {
  return `Node ${process.version}, ${availableParallelism()} CPUs. Only ratios within one run mean anything: all other figures are this machine's, at this moment.\n\n` +
    line(['bench', 'what', 'ours', 'bare', 'ratio', 'aim', 'CPU/event ours', 'CPU/event bare', 'ratio', 'complete'])
}

/** One bench's line. */
export function lineOf ({ bench, what, ours, bare, ratio, aim, cpu, complete, fault }: Comparison): string {
  const cpuCells = cpu === null ? ['-', '-', '-'] : [`${cpu.ours.toFixed(2)} µs`, `${cpu.bare.toFixed(2)} µs`, times(cpu.ratio)]
  return line([bench, what, ours, bare, times(ratio), aim, ...cpuCells, fault === null ? complete : `FAILED: ${fault}`])
}

function times (ratio: number): string {
  return `${ratio.toFixed(2)}x`
}

function line (cells: string[]): string {
  return cells.map((cell, column) => column < 2 ? cell.padEnd(WIDTHS[column]!) : cell.padStart(WIDTHS[column]!)).join('  ').trimEnd() + '\n'
}
