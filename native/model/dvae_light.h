#pragma once

#include <cstdint>
#include <memory>

#include "base/config_reader.h"
#include "model/discrete_vae.h"

namespace cae {

/// The light discrete VAE with plain strided convolutions and an explicit codebook (spec/baselines.md 2.7).
struct LightDvaeConfig {
  /// Two orders of the same layers: BEiT follows every strided convolution by a residual block, the original
  /// (lucidrains/DALLE-pytorch) puts all of them behind the last one.
  enum class Layout { kBeit, kOriginal };
  enum class Loss { kMse, kSmoothL1 };

  Layout layout;
  int64_t numLayers;  // strided convolutions: an id stands for 2^numLayers pixels of a side
  int64_t hiddenDim;
  int64_t codebookDim;
  int64_t resBlocks;  // of the original layout; BEiT's has one a layer
  int64_t vocabSize;  // V
  Loss loss;
};

LightDvaeConfig readLightDvaeConfig(ConfigReader& reader);

/// The network, its tensors under the names of the two codes' checkpoints: `encoder.0.0.weight`, `codebook.weight`, ...
std::shared_ptr<DiscreteVae> makeLightDvae(const LightDvaeConfig& config);

}  // namespace cae
