#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <string>

#include "model/config.h"
#include "model/drop_path.h"
#include "model/linear.h"
#include "model/pass.h"
#include "model/relative_bias.h"

namespace cae {

/// Multi-head self-attention (spec/cae.md 1.4; with relative positions, spec/baselines.md 4.1).
class AttentionImpl : public torch::nn::Module {
 public:
  /// relativeIndex: of the table of relative positions that this block owns; undefined: it owns none.
  explicit AttentionImpl(const BlockConfig& config, const at::Tensor& relativeIndex = {});

  /// x: [B, N, D] -> [B, N, D] without proj's bias, which the residual adds.
  /// sharedBias: [heads, N, N] added to the scores of every block, or undefined.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype, const at::Tensor& sharedBias);

  /// The probabilities of the first token's query alone: [B, heads, N] in float32.
  at::Tensor weightsOfFirst(const at::Tensor& x, const at::Tensor& sharedBias);

  at::Tensor q_bias, v_bias;                // [D]; undefined where keys have a bias: qkv.bias holds all three
  at::Tensor relative_position_bias_table;  // [relativeRows, heads], or undefined
  Linear qkv, proj;

 private:
  at::Tensor queryBias() const;
  at::Tensor valueBias() const;
  at::Tensor scoreBias(const at::Tensor& sharedBias);

  int64_t dim_, numHeads_;
  RelativeIndex relativeIndex_;
};
TORCH_MODULE(Attention);

/// fc2(activation(fc1(x))).
class MlpImpl : public torch::nn::Module {
 public:
  explicit MlpImpl(const BlockConfig& config);

  /// x: [B, N, D] -> [B, N, D] without fc2's bias, which the residual adds.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype);

  Linear fc1, fc2;

 private:
  Activation activation_;
};
TORCH_MODULE(Mlp);

/// The parameters of one pre-norm block (spec/cae.md 1.4):
///   x += dropPath(gamma_1 * attn(norm1(x)));  x += dropPath(gamma_2 * mlp(norm2(x)))
/// BlockStack runs them: each residual is fused with the LayerNorm that follows it, which belongs to the next half
/// block.
class BlockImpl : public torch::nn::Module {
 public:
  /// relativeIndex: as in Attention.
  explicit BlockImpl(const BlockConfig& config, const at::Tensor& relativeIndex = {});

  at::Tensor gamma_1, gamma_2;  // [D], undefined without LayerScale
  Norm norm1;
  Attention attn;
  Norm norm2;
  Mlp mlp;
};
TORCH_MODULE(Block);

/// LayerScale as a parameter of `module`, or undefined when its start value is 0: then the checkpoint has none either.
at::Tensor registerLayerScale(torch::nn::Module& module, const char* name, int64_t dim, double init);

/// Runs the blocks of `blocks` and the LayerNorm behind them. x: [B, N, D] in the stream's type.
/// Returns finalNorm(output) in float32, the output itself where finalNorm is empty; records `{traceName}{i}`, the
/// stream after block i. sharedBias: as in Attention.
at::Tensor runBlocks(const torch::nn::ModuleList& blocks, const at::Tensor& x, const Norm& finalNorm, double eps,
                     const DropPath& dropPath, const Pass& pass, const std::string& traceName,
                     const at::Tensor& sharedBias = {});

}  // namespace cae
