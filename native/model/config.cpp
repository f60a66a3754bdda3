#include "model/config.h"

#include <cmath>

namespace cae {

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
                    .layerScaleInit = reader.real("layerScaleInit")},
          .dropPath = reader.real("dropPath"),
          .positions = static_cast<ops::PositionRule>(reader.choice("positions", {"reference", "grid"})),
          .mean = reader.reals("mean", 3),
          .std = reader.reals("std", 3)};
}

}  // namespace cae
