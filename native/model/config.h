#pragma once

#include <cstdint>
#include <vector>

#include "base/config_reader.h"
#include "ops/sincos.h"

namespace cae {

/// What all blocks of one stack share. No defaults here or below: src/config is their only home.
struct BlockConfig {
  int64_t dim;        // D, a multiple of numHeads
  int64_t numHeads;   // H
  int64_t mlpHidden;  // hidden channels of the MLP
  double layerNormEps;
  double layerScaleInit;  // start value of gamma_1 and gamma_2; 0: no LayerScale
};

/// The vision transformer that represents (spec/cae.md 1.2 to 1.4).
struct EncoderConfig {
  int64_t imageHeight, imageWidth, patchSize;
  int64_t depth;
  BlockConfig block;
  double dropPath;  // rate of the last block; the first has 0
  ops::PositionRule positions;
  std::vector<double> mean, std;  // of pixels in [0, 1]; for raw images given to encode()

  int64_t gridHeight() const { return imageHeight / patchSize; }
  int64_t gridWidth() const { return imageWidth / patchSize; }
  int64_t numPatches() const { return gridHeight() * gridWidth(); }
};

/// How fresh weights are drawn (spec/cae.md 3).
enum class InitRule { kXavier, kTruncated };

/// Reads the keys of the encoder from a model configuration.
EncoderConfig readEncoderConfig(ConfigReader& reader);

}  // namespace cae
