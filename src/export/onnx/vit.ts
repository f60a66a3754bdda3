import type { VitConfig } from '../../config/architecture.js'
import { patchGrid } from '../../config/model.js'
import type { F32Tensor } from '../../native/types.js'
import { OnnxGraph, type Value } from './graph.js'

interface Encoder {
  readonly config: VitConfig
  readonly tensors: ReadonlyMap<string, F32Tensor>
}

/**
 * The encoder as an ONNX graph: `pixel_values` [batch, 3, H, W], normalised, to `cls` [batch, D] and `patches` [batch, N, D] after the final norm.
 * The batch size is free.
 * @param tensors with joined biases
 */
export function encoderGraph(config: VitConfig, tensors: ReadonlyMap<string, F32Tensor>): OnnxGraph {
  const encoder = { config, tensors }
  const { imageSize, patchSize, embedDim, depth } = config
  const { gridHeight, gridWidth } = patchGrid(config)
  const patches = gridHeight * gridWidth
  const graph = new OnnxGraph()
  const weight = (name: string): Value => weightOf(graph, encoder, name)

  const images = graph.input('pixel_values', ['batch', 3, ...imageSize])
  const stride = { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] }
  const maps = graph.op('Conv', [images, weight('patch_embed.proj.weight'), weight('patch_embed.proj.bias')], stride)
  const embedded = graph.op('Transpose', [graph.op('Reshape', [maps, graph.integers([0, embedDim, patches])])], { perm: [0, 2, 1] })
  const batch = graph.op('Slice', [graph.op('Shape', [images]), graph.integers([0]), graph.integers([1])])
  const clsShape = graph.op('Concat', [batch, graph.integers([1, embedDim])], { axis: 0 })
  const cls = graph.op('Expand', [weight('cls_token'), clsShape])
  let x = graph.op('Add', [graph.op('Concat', [cls, embedded], { axis: 1 }), weight('pos_embed')])
  for (let block = 0; block < depth; block++) x = encoderBlock(graph, encoder, block, x)
  const normed = norm(graph, encoder, 'norm', x)

  const first = graph.op('Slice', [normed, graph.integers([0]), graph.integers([1]), graph.integers([1])])
  graph.output('cls', graph.op('Reshape', [first, graph.integers([0, embedDim])]), ['batch', embedDim])
  const rest = graph.op('Slice', [normed, graph.integers([1]), graph.integers([1 + patches]), graph.integers([1])])
  graph.output('patches', rest, ['batch', patches, embedDim])
  return graph
}

/** x + gamma_1 * attention(norm1(x)), then x + gamma_2 * mlp(norm2(x)) (spec/cae.md 1.4). */
function encoderBlock(graph: OnnxGraph, encoder: Encoder, block: number, x: Value): Value {
  const at = `blocks.${block}`
  const residual = (branch: Value, gamma: string, stream: Value): Value => {
    const scaled = encoder.tensors.has(`${at}.${gamma}`) ? graph.op('Mul', [branch, weightOf(graph, encoder, `${at}.${gamma}`)]) : branch
    return graph.op('Add', [stream, scaled])
  }
  const y = residual(attention(graph, encoder, block, norm(graph, encoder, `${at}.norm1`, x)), 'gamma_1', x)
  const hidden = gelu(graph, linear(graph, encoder, `${at}.mlp.fc1`, norm(graph, encoder, `${at}.norm2`, y)))
  return residual(linear(graph, encoder, `${at}.mlp.fc2`, hidden), 'gamma_2', y)
}

function attention(graph: OnnxGraph, encoder: Encoder, block: number, x: Value): Value {
  const { embedDim, numHeads } = encoder.config
  const at = `blocks.${block}.attn`
  const weights = graph.op('Transpose', [weightOf(graph, encoder, `${at}.qkv.weight`)], { perm: [1, 0] })
  const projected = graph.op('Add', [graph.op('MatMul', [x, weights]), weightOf(graph, encoder, `${at}.qkv.bias`)])
  const headShape = graph.integers([0, -1, numHeads, embedDim / numHeads])
  const [q = '', k = '', v = ''] = graph.split(projected, 3, 2).map((part) => graph.op('Reshape', [part, headShape]))
  const scale = graph.scalar((embedDim / numHeads) ** -0.5)
  const queries = graph.op('Mul', [graph.op('Transpose', [q], { perm: [0, 2, 1, 3] }), scale])
  const scores = graph.op('Softmax', [graph.op('MatMul', [queries, graph.op('Transpose', [k], { perm: [0, 2, 3, 1] })])], { axis: -1 })
  const mixed = graph.op('MatMul', [scores, graph.op('Transpose', [v], { perm: [0, 2, 1, 3] })])
  const joined = graph.op('Reshape', [graph.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }), graph.integers([0, -1, embedDim])])
  return linear(graph, encoder, `${at}.proj`, joined)
}

/** x·(1 + erf(x/√2))/2, exactly. */
function gelu(graph: OnnxGraph, x: Value): Value {
  const erf = graph.op('Erf', [graph.op('Mul', [x, graph.scalar(Math.SQRT1_2)])])
  return graph.op('Mul', [graph.op('Mul', [x, graph.scalar(0.5)]), graph.op('Add', [erf, graph.scalar(1)])])
}

function linear(graph: OnnxGraph, encoder: Encoder, name: string, x: Value): Value {
  const weights = graph.op('Transpose', [weightOf(graph, encoder, `${name}.weight`)], { perm: [1, 0] })
  return graph.op('Add', [graph.op('MatMul', [x, weights]), weightOf(graph, encoder, `${name}.bias`)])
}

function norm(graph: OnnxGraph, encoder: Encoder, name: string, x: Value): Value {
  const inputs = [x, weightOf(graph, encoder, `${name}.weight`), weightOf(graph, encoder, `${name}.bias`)]
  return graph.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: encoder.config.layerNormEps } })
}

function weightOf(graph: OnnxGraph, { tensors }: Encoder, name: string): Value {
  const tensor = tensors.get(name)
  if (!tensor) throw new TypeError(`the encoder has no tensor ${name}`)
  return graph.weight(name, tensor)
}
