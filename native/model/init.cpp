#include "model/init.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cctype>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/conv.h"
#include "model/encoder.h"
#include "model/linear.h"

namespace cae {
namespace {

constexpr double kStd = 0.02;
constexpr double kErfOfHalfSqrt2 = 0.6826894921370859;  // 2 Phi(1) - 1: the probability within one deviation

/// FNV-1a, 32 bits: turns a tensor's name into the index of its stream.
uint32_t hashOf(std::string_view name) {
  uint32_t hash = 2166136261U;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  return hash;
}

/// Numbers of U(lo, hi) in the shape of `like`, in double.
at::Tensor uniform(const at::Tensor& like, double lo, double hi, const RngKey& key) {
  const at::Tensor values = at::empty(like.sizes(), at::kDouble);
  auto* out = values.mutable_data_ptr<double>();
  RngStream stream(key);
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = stream.uniform(lo, hi);
  return values;
}

/// Normal numbers of deviation kStd, cut at ±kStd: not at two deviations, as elsewhere (spec/cae.md 11.1).
at::Tensor truncatedNormal(const at::Tensor& like, const RngKey& key) {
  return uniform(like, -kErfOfHalfSqrt2, kErfOfHalfSqrt2, key)
      .erfinv_()
      .mul_(kStd * std::sqrt(2.0))
      .clamp_(-kStd, kStd);
}

/// Normal numbers of the deviation `std`.
at::Tensor normal(const at::Tensor& like, double std, const RngKey& key) {
  // The number that uniform() gives with probability 2^-53 has no finite quantile.
  return uniform(like, -1, 1, key).clamp_(-1 + 1e-15, 1 - 1e-15).erfinv_().mul_(std * std::sqrt(2.0));
}

/// The block's place in its stack for the projections that end a residual branch, nothing for any other layer.
std::optional<int64_t> residualBlock(std::string_view name) {
  for (const std::string_view tail : {".attn.proj", ".cross_attn.proj", ".mlp.fc2", ".mlp_cross.fc2"}) {
    if (!name.ends_with(tail)) continue;
    const std::string_view block = name.substr(0, name.size() - tail.size());
    return std::stoll(std::string(block.substr(block.rfind('.') + 1)));
  }
  return std::nullopt;
}

/// One tensor to draw. Drawing is most of the work of making a model, so tensors are drawn side by side.
struct Draw {
  at::Tensor target;
  std::function<at::Tensor()> values;
};

class Drawing {
 public:
  Drawing(InitRule rule, uint64_t seed) : rule_(rule), seed_(seed) {}

  void token(const std::string& name, const at::Tensor& tensor) { addTruncated(name, tensor, 1); }

  void patchProjection(const std::string& name, const PatchProjectionImpl& projection) {
    addTruncated(name + ".weight", projection.weight, 1);
    if (projection.bias.defined()) addConstant(projection.bias, 0);
  }

  void linear(const std::string& name, const LinearImpl& linear) {
    const bool isProjection = name == "encoder_to_decoder";  // encoder width to decoder width
    const double in = static_cast<double>(linear.weight.size(1)), out = static_cast<double>(linear.weight.size(0));
    if (rule_ == InitRule::kTruncated && isProjection) {
      // The rule does not name this layer: it keeps the framework's own start values.
      addUniform(name + ".weight", linear.weight, 1 / std::sqrt(in));
      addUniform(name + ".bias", linear.bias, 1 / std::sqrt(in));
      return;
    }
    if (linear.bias.defined()) addConstant(linear.bias, 0);
    if (rule_ == InitRule::kXavier) {
      addUniform(name + ".weight", linear.weight, std::sqrt(6 / (in + out)));
    } else {
      const auto block = residualBlock(name);
      addTruncated(name + ".weight", linear.weight, block ? 1 / std::sqrt(2.0 * static_cast<double>(*block + 1)) : 1);
    }
  }

  void conv(const std::string& name, const ConvImpl& conv) {
    const bool isDalle = conv.shape().kind == ConvShape::Kind::kDalle;
    // A transposed convolution's weight has its outputs second: the library takes those for its inputs.
    const auto inputs = static_cast<double>(conv.weight.size(1) * conv.weight.size(2) * conv.weight.size(3));
    if (isDalle) {
      addNormal(name + ".w", conv.weight, 1 / std::sqrt(inputs));
      addConstant(conv.bias, 0);
    } else {
      addUniform(name + ".weight", conv.weight, 1 / std::sqrt(inputs));
      addUniform(name + ".bias", conv.bias, 1 / std::sqrt(inputs));
    }
  }

  void codebook(const std::string& name, const at::Tensor& tensor) { addNormal(name, tensor, 1); }

  void run() const {
    const auto count = static_cast<int64_t>(draws_.size());
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      const at::NoGradGuard noGrad;
      for (int64_t i = begin; i < end; ++i) {
        const Draw& draw = draws_[static_cast<size_t>(i)];
        draw.target.copy_(draw.values());
      }
    });
  }

 private:
  RngKey key(const std::string& name) const {
    return {.seed = seed_, .purpose = Purpose::kInit, .time = 0, .index = hashOf(name)};
  }

  void addUniform(const std::string& name, const at::Tensor& target, double bound) {
    draws_.push_back({target, [=, k = key(name)] { return uniform(target, -bound, bound, k); }});
  }

  void addNormal(const std::string& name, const at::Tensor& target, double std) {
    draws_.push_back({target, [=, k = key(name)] { return normal(target, std, k); }});
  }

  void addTruncated(const std::string& name, const at::Tensor& target, double scale) {
    draws_.push_back({target, [=, k = key(name)] { return truncatedNormal(target, k).mul_(scale); }});
  }

  void addConstant(const at::Tensor& target, double value) {
    draws_.push_back({target, [=] { return at::full({}, value); }});
  }

  InitRule rule_;
  uint64_t seed_;
  std::vector<Draw> draws_;
};

}  // namespace

void initialiseWeights(torch::nn::Module& network, InitRule rule, uint64_t seed) {
  Drawing drawing(rule, seed);
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    if (const auto* linear = item.value()->as<LinearImpl>()) drawing.linear(item.key(), *linear);
    if (const auto* patches = item.value()->as<PatchProjectionImpl>()) drawing.patchProjection(item.key(), *patches);
  }
  for (const auto& item : network.named_parameters()) {
    const std::string& name = item.key();
    for (const char* token : {"cls_token", "mask_token", "pos_embed"}) {
      if (name.ends_with(token)) drawing.token(name, item.value());
    }
  }
  drawing.run();
}

void initialiseConvolutions(torch::nn::Module& network, uint64_t seed) {
  Drawing drawing(InitRule::kXavier, seed);  // a rule for matrices, of which there are none
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
    if (const auto* conv = item.value()->as<ConvImpl>()) drawing.conv(item.key(), *conv);
  }
  for (const auto& item : network.named_parameters()) {
    if (item.key() == "codebook.weight") drawing.codebook(item.key(), item.value());
  }
  drawing.run();
}

}  // namespace cae
