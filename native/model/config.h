#pragma once

#include <cstdint>
#include <vector>

#include "base/config_reader.h"
#include "ops/sincos.h"

namespace cae {

/// What lies between the two layers of an MLP.
enum class Activation {
  kGelu,       // exact (erf)
  kQuickGelu,  // x · sigmoid(1.702 x), as CLIP has it
};

/// What all blocks of one stack share. No defaults here or below: src/config is their only home.
struct BlockConfig {
  int64_t dim;        // D, a multiple of numHeads
  int64_t numHeads;   // H
  int64_t mlpHidden;  // hidden channels of the MLP
  double layerNormEps;
  double layerScaleInit;  // start value of gamma_1 and gamma_2; 0: no LayerScale
  bool keyBias;           // one bias for queries, keys and values, as most ViTs have it; else queries and values alone
  Activation activation;
};

/// Where absolute positions come from.
enum class Positions {
  kReference,  // fixed sin-cos, ops::PositionRule::kReference
  kGrid,       // fixed sin-cos, ops::PositionRule::kGrid
  kLearned,    // a table of the checkpoint
  kNone,
};

/// Where the relative position bias of attention comes from (spec/baselines.md 4.2).
enum class RelativePositions { kNone, kShared, kPerBlock };

/// What the last LayerNorm normalises: every token (`norm`), the mean of the patches (`fc_norm`), or nothing.
enum class OutputNorm { kTokens, kMean, kNone };

/// The vision transformer that represents (spec/cae.md 1.2 to 1.4), and its relatives (spec/baselines.md 1, 4.1, 8.5).
struct EncoderConfig {
  int64_t imageHeight, imageWidth, patchSize;
  int64_t depth;
  BlockConfig block;
  double dropPath;  // rate of the last block; the first has 0
  Positions positions;
  RelativePositions relativePositions;
  bool patchBias;  // the patch projection has a bias
  bool inputNorm;  // a LayerNorm before the first block
  OutputNorm outputNorm;
  std::vector<double> mean, std;  // of pixels in [0, 1]; for raw images given to encode()

  int64_t gridHeight() const { return imageHeight / patchSize; }
  int64_t gridWidth() const { return imageWidth / patchSize; }
  int64_t numPatches() const { return gridHeight() * gridWidth(); }
  bool hasSincos() const { return positions == Positions::kReference || positions == Positions::kGrid; }

  /// Fixed positions of this grid at any width, [1, 1 + N, channels]; only where hasSincos().
  at::Tensor sincosTable(int64_t channels) const;
};

/// How fresh weights are drawn (spec/cae.md 3).
enum class InitRule { kXavier, kTruncated };

/// Reads the keys of the encoder from a model configuration.
EncoderConfig readEncoderConfig(ConfigReader& reader);

}  // namespace cae
