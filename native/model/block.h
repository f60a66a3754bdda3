#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <string>

#include "model/config.h"
#include "model/drop_path.h"
#include "model/linear.h"
#include "model/pass.h"

namespace cae {

/// Multi-head self-attention with a bias on queries and values only (spec/cae.md 1.4).
class AttentionImpl : public torch::nn::Module {
 public:
  AttentionImpl(int64_t dim, int64_t numHeads);

  /// x: [B, N, D] -> [B, N, D] without proj's bias, which the residual adds.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype);

  /// The probabilities of the first token's query alone: [B, heads, N] in float32.
  at::Tensor weightsOfFirst(const at::Tensor& x);

  at::Tensor q_bias, v_bias;
  Linear qkv, proj;

 private:
  int64_t numHeads_;
};
TORCH_MODULE(Attention);

/// fc2(GELU(fc1(x))).
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(int64_t dim, int64_t hidden);

  /// x: [B, N, D] -> [B, N, D] without fc2's bias, which the residual adds.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype);

  Linear fc1, fc2;
};
TORCH_MODULE(Mlp);

/// The parameters of one pre-norm block (spec/cae.md 1.4):
///   x += dropPath(gamma_1 * attn(norm1(x)));  x += dropPath(gamma_2 * mlp(norm2(x)))
/// BlockStack runs them: each residual is fused with the LayerNorm that follows it, which belongs to the next half
/// block.
class BlockImpl : public torch::nn::Module {
 public:
  explicit BlockImpl(const BlockConfig& config);

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
/// Returns finalNorm(output) in float32; records `{traceName}{i}`, the stream after block i.
at::Tensor runBlocks(const torch::nn::ModuleList& blocks, const at::Tensor& x, const Norm& finalNorm, double eps,
                     const DropPath& dropPath, const Pass& pass, const std::string& traceName);

}  // namespace cae
