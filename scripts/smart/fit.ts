// Small solvers: ridge towards prior weights, ridge and softmax over hashed words, Platt's calibration. Deterministic.

/** Solves A x = b by elimination with pivots. */
function solve(matrix: Float64Array[], right: Float64Array): Float64Array {
  const size = right.length;
  for (let at = 0; at < size; at++) {
    let pivot = at;
    for (let row = at + 1; row < size; row++) {
      if (Math.abs(matrix[row]![at]!) > Math.abs(matrix[pivot]![at]!)) pivot = row;
    }
    [matrix[at], matrix[pivot]] = [matrix[pivot]!, matrix[at]!];
    [right[at], right[pivot]] = [right[pivot]!, right[at]!];
    for (let row = at + 1; row < size; row++) {
      const factor = matrix[row]![at]! / matrix[at]![at]!;
      if (factor === 0) continue;
      for (let column = at; column < size; column++) {
        matrix[row]![column]! -= factor * matrix[at]![column]!;
      }
      right[row]! -= factor * right[at]!;
    }
  }
  const result = new Float64Array(size);
  for (let at = size - 1; at >= 0; at--) {
    let sum = right[at]!;
    for (let column = at + 1; column < size; column++)
      sum -= matrix[at]![column]! * result[column]!;
    result[at] = sum / matrix[at]![at]!;
  }
  return result;
}

export function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += left[at]! * right[at]!;
  return sum;
}

/**
 * Least squares with each weight drawn towards its prior: what the rows do not speak of stays what we believe. The
 * first feature is the bias and is free.
 */
export function ridge(
  inputs: readonly Float64Array[],
  targets: readonly number[],
  weights: readonly number[],
  strength: number,
  prior: Float64Array,
): Float64Array {
  const size = prior.length;
  const matrix = Array.from({ length: size }, () => new Float64Array(size));
  const right = new Float64Array(size);
  for (const [at, input] of inputs.entries()) {
    const rest = targets[at]! - dot(input, prior);
    for (let row = 0; row < size; row++) {
      const value = weights[at]! * input[row]!;
      if (value === 0) continue;
      right[row]! += value * rest;
      for (let column = 0; column < size; column++) matrix[row]![column]! += value * input[column]!;
    }
  }
  for (let at = 0; at < size; at++) matrix[at]![at]! += at === 0 ? 1e-6 : strength;
  return solve(matrix, right).map((each, at) => each + prior[at]!);
}

export interface Sparse {
  at: Uint16Array;
  value: Float32Array;
}

/** Ridge over sparse inputs, by coordinate descent. */
export function sparseRidge(
  inputs: readonly Sparse[],
  targets: readonly number[],
  weights: readonly number[],
  strength: number,
  size: number,
): Float64Array {
  const columns: [number, number][][] = Array.from({ length: size }, () => []);
  for (const [row, { at, value }] of inputs.entries()) {
    for (let index = 0; index < at.length; index++) columns[at[index]!]!.push([row, value[index]!]);
  }
  const rest = Float64Array.from(targets);
  const result = new Float64Array(size);
  for (let sweep = 0; sweep < 6; sweep++) {
    for (const [at, column] of columns.entries()) {
      if (column.length === 0) continue;
      let above = 0;
      let below = strength;
      for (const [row, value] of column) {
        above += weights[row]! * value * (rest[row]! + value * result[at]!);
        below += weights[row]! * value * value;
      }
      const step = above / below - result[at]!;
      result[at]! += step;
      for (const [row, value] of column) rest[row]! -= step * value;
    }
  }
  return result;
}

/**
 * Softmax regression over sparse inputs, row by row, with steps that shrink where a weight has moved (Adagrad). One row of
 * weights a class. `at` may name a column twice: both values count.
 */
export function sparseSoftmax(
  inputs: readonly Sparse[],
  classes: readonly number[],
  weights: readonly number[],
  { count, size, turns }: { count: number; size: number; turns: number },
): Float64Array[] {
  const result = Array.from({ length: count }, () => new Float64Array(size));
  const moved = Array.from({ length: count }, () => new Float64Array(size).fill(1e-6));
  const rows = inputs.length;
  const usual = weights.reduce((sum, each) => sum + each, 0) / rows;
  // Rows of a class lie together: a stride that meets each row once a turn mixes them.
  let stride = 7919;
  while (rows % stride === 0) stride += 2;
  const parts = new Float64Array(count);
  for (let turn = 0; turn < turns; turn++) {
    for (let each = 0; each < rows; each++) {
      const row = (each * stride + turn * 131) % rows;
      const { at, value } = inputs[row]!;
      for (let of = 0; of < count; of++) {
        let sum = 0;
        for (let index = 0; index < at.length; index++) {
          sum += result[of]![at[index]!]! * value[index]!;
        }
        parts[of] = sum;
      }
      const top = Math.max(...parts);
      let total = 0;
      for (let of = 0; of < count; of++) total += parts[of] = Math.exp(parts[of]! - top);
      for (let of = 0; of < count; of++) {
        const error =
          (weights[row]! / usual) * (parts[of]! / total - (of === classes[row] ? 1 : 0));
        const [own, past] = [result[of]!, moved[of]!];
        for (let index = 0; index < at.length; index++) {
          const column = at[index]!;
          const slope = value[index]! * (error + SOFTMAX_DECAY * own[column]!);
          past[column]! += slope * slope;
          own[column]! -= (SOFTMAX_STEP * slope) / Math.sqrt(past[column]!);
        }
      }
    }
  }
  return result;
}
const SOFTMAX_STEP = 0.5;
const SOFTMAX_DECAY = 0.002;

/** Platt's calibration: the logistic curve through (score, 0 or 1). */
export function platt(
  scores: readonly number[],
  hits: readonly number[],
  weights: readonly number[],
) {
  let slope = 1;
  let intercept = 0;
  for (let turn = 0; turn < 50; turn++) {
    let [g0, g1, h00, h01, h11] = [0, 0, 1e-9, 0, 1e-9];
    for (let at = 0; at < scores.length; at++) {
      const x = scores[at]!;
      const p = 1 / (1 + Math.exp(-(slope * x + intercept)));
      const error = weights[at]! * (p - hits[at]!);
      const bend = weights[at]! * p * (1 - p);
      g0 += error * x;
      g1 += error;
      h00 += bend * x * x;
      h01 += bend * x;
      h11 += bend;
    }
    const det = h00 * h11 - h01 * h01;
    slope -= (h11 * g0 - h01 * g1) / det;
    intercept -= (h00 * g1 - h01 * g0) / det;
  }
  return { slope, intercept };
}
