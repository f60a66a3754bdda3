#include "image/normalize.h"

#include <cmath>

#include "base/check.h"

namespace cae {

Normalizer::Normalizer(const std::array<double, 3>& mean, const std::array<double, 3>& std) : table_(3) {
  for (size_t c = 0; c < 3; ++c) {
    CAE_CHECK(std[c] > 0 && std::isfinite(std[c]) && std::isfinite(mean[c]), "ERR_CAE_OPTION",
              "pixels cannot be normalised by mean ", mean[c], " and std ", std[c]);
    for (size_t v = 0; v < 256; ++v) {
      table_[c][v] = (static_cast<float>(v) / 255.0F - static_cast<float>(mean[c])) / static_cast<float>(std[c]);
    }
  }
}

void Normalizer::row(const uint8_t* rgbx, int64_t width, float* out, int64_t planeSize) const {
  const auto &red = table_[0], &green = table_[1], &blue = table_[2];
  for (int64_t x = 0; x < width; ++x) {
    out[x] = red[rgbx[4 * x]];
    out[planeSize + x] = green[rgbx[4 * x + 1]];
    out[2 * planeSize + x] = blue[rgbx[4 * x + 2]];
  }
}

}  // namespace cae
