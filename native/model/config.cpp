#include "model/config.h"

#include <cmath>

namespace cae {

at::Tensor EncoderConfig::sincosTable(int64_t channels) const {
  const auto rule = positions == Positions::kReference ? ops::PositionRule::kReference : ops::PositionRule::kGrid;
  return ops::sincosTable(gridHeight(), gridWidth(), channels, rule);
}

EncoderConfig readEncoderConfig(ConfigReader& reader) {
  const std::vector<double> size = reader.reals("imageSize", 2);
  const int64_t dim = reader.integer("embedDim");
  return {.imageHeight = static_cast<int64_t>(size[0]),
          .imageWidth = static_cast<int64_t>(size[1]),
          .patchSize = reader.integer("patchSize"),
          .depth = reader.integer("depth"),
          .block = {.dim = dim,
                    .numHeads = reader.integer("numHeads"),
                    .mlpHidden = std::llround(static_cast<double>(dim) * reader.real("mlpRatio")),
                    .layerNormEps = reader.real("layerNormEps"),
                    .layerScaleInit = reader.real("layerScaleInit"),
                    .keyBias = reader.flag("keyBias"),
                    .activation = static_cast<Activation>(reader.choice("activation", {"gelu", "quick-gelu"}))},
          .dropPath = reader.real("dropPath"),
          .positions = static_cast<Positions>(reader.choice("positions", {"reference", "grid", "learned", "none"})),
          .relativePositions =
              static_cast<RelativePositions>(reader.choice("relativePositions", {"none", "shared", "per-block"})),
          .patchBias = reader.flag("patchBias"),
          .inputNorm = reader.flag("inputNorm"),
          .outputNorm = static_cast<OutputNorm>(reader.choice("outputNorm", {"tokens", "mean", "none"})),
          .mean = reader.reals("mean", 3),
          .std = reader.reals("std", 3)};
}

}  // namespace cae
