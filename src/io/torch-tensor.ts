import type { Refuse } from './input-file.js'
import type { PickleObject, PickleValue } from './pickle.js'
import { type Dtype, dtypeBytes, elementCount } from './safetensors-header.js'

/** A run of elements in the file that one or more tensors look at. */
export class TorchStorage implements PickleObject {
  constructor(
    /** Name in the file. */
    readonly key: string,
    readonly dtype: Dtype,
    /** Number of elements. */
    readonly length: number,
    private readonly refuse: Refuse,
  ) {}

  get bytes(): number {
    return this.length * dtypeBytes[this.dtype]
  }

  build(): never {
    throw this.refuse('its pickle gives a state to a storage')
  }
}

/** A part of a storage, as legacy files have them: some other storage's elements from `offset` on. */
export interface StorageView {
  readonly storage: TorchStorage
  /** In bytes. */
  readonly offset: number
  readonly bytes: number
}

/** Dimensions of a tensor and where its elements lie: element (i, j, ...) at `offset` + i * strides[0] + j * strides[1] + ... */
export class TorchTensor implements PickleObject {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: Dtype,
    readonly shape: readonly number[],
    /** In elements, never negative; 0 where all along a dimension are one element. */
    readonly strides: readonly number[],
    /** In bytes from the start of the storage. */
    readonly offset: number,
  ) {}

  /** Attributes of a tensor object: not read. */
  build(): void {}
}

/** PyTorch has no tensors of more dimensions. */
const maxDimensions = 64
/** Largest tensor that repeats its elements, in bytes: a few bytes of a file could otherwise ask for any amount of memory. */
const largestRepeated = 64 << 20

/**
 * Checks what a pickle says of a tensor (spec/baselines.md 9.5).
 * @param storage what it looks at
 * @param offset first element, in elements of `dtype` from the start of `storage`
 * @throws the error of `refuse` when sizes are no sizes or an element lies outside the storage
 */
export function makeTensor(
  { storage, offset: viewOffset, bytes }: StorageView,
  dtype: Dtype,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  refuse: Refuse,
): TorchTensor {
  if (!isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw refuse('a tensor has no sizes and strides that fit together and are counts')
  }
  if (!isCount(offset)) throw refuse('a tensor begins at what is no position')
  const size = dtypeBytes[dtype]
  const count = elementCount(shape)
  const span = count === 0 ? 0 : spanOf(shape, strides)
  if (count > 0 && !((offset + span) * size <= bytes)) {
    const text = `[${shape.join(', ')}] with the strides [${strides.join(', ')}] from element ${offset} on`
    throw refuse(`a tensor ${text} reaches past its storage of ${bytes} bytes`)
  }
  if (count > span && !(count * size <= largestRepeated)) {
    throw refuse(`a tensor [${shape.join(', ')}] repeats the elements of a smaller one more often than is allowed here`)
  }
  return new TorchTensor(storage, dtype, shape, strides, viewOffset + offset * size)
}

/** Elements from the first to the last, both included, of a tensor that has any; too large a number where it overflows. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((last, size, at) => last + (size - 1) * (strides[at] ?? 0), 0) + 1
}

/** Whether a value is a count that a number holds exactly. */
export function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isCounts(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= maxDimensions && value.every(isCount)
}
