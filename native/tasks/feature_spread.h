#pragma once

#include <ATen/core/Tensor.h>

namespace cae {

/// How far the features of different images lie apart. NaN where a feature is not finite.
struct FeatureSpread {
  /// Standard deviation of a channel over the rows, each divided by its length; mean over the channels, times sqrt(C):
  /// 1 where directions are spread evenly, 0 where all rows point the same way (Chen and He 2021, SimSiam, 4.1).
  double std;
  /// exp(entropy) of the singular values' shares, 1 to min(n, C) (Garrido et al. 2023, RankMe). Rows are not centred:
  /// features that are all one vector have the rank 1 then, and not that of their rounding errors.
  double effectiveRank;
};

/// features: float32 [n, C] on the CPU, n >= 1.
FeatureSpread featureSpread(const at::Tensor& features);

}  // namespace cae
