#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace cae {

/// Bytes to what a network reads: (v / 255 - mean) / std in float32, from a table, so that every machine and every way
/// of loading gives the same numbers.
class Normalizer {
 public:
  /// `mean` and `std` of red, green and blue in [0, 1].
  Normalizer(const std::array<double, 3>& mean, const std::array<double, 3>& std);

  /// One row of `width` R G B X pixels into the three planes of a [3, H, W] tensor, `planeSize` floats apart.
  void row(const uint8_t* rgbx, int64_t width, float* out, int64_t planeSize) const;

 private:
  std::vector<std::array<float, 256>> table_;  // by channel
};

}  // namespace cae
