#pragma once

#include <cstdint>
#include <memory>

#include "base/config_reader.h"
#include "model/discrete_vae.h"

namespace cae {

/// DALL-E's discrete VAE (spec/baselines.md 2.3, 2.4).
struct DvaeConfig {
  int64_t hiddenDim;        // n: width of the stack at full resolution; 2n, 4n, 8n below it
  int64_t decoderInputDim;  // width that the decoder brings codes to
  int64_t blocksPerGroup;
  int64_t vocabSize;  // V
};

DvaeConfig readDvaeConfig(ConfigReader& reader);

/// The network, its tensors under the names of DALL-E's checkpoints (spec/baselines.md 2.5), `encoder.` and `decoder.`
/// in front. Four groups of residual blocks each way, an eighth of the resolution in the middle.
std::shared_ptr<DiscreteVae> makeDvae(const DvaeConfig& config);

}  // namespace cae
